//! Comments: which of them are kept, and where.

use super::as_loaded_tests::{printed, tree_of};
use super::print_text::print_text;
use super::print_xml::print_xml;
use super::read_xml::read_document;
use super::set_lines::{parse_any, read_set};

#[test]
fn an_annotation_is_written_changed_and_taken_away() {
    let port = "interfaces ge-0/0/1";
    let of = |lines: &str| print_text(&parse_any(&format!("set {port} disable\n{lines}")).unwrap());
    let annotated = of(&format!("annotate {port} \"moved\""));
    assert_eq!(annotated, "interfaces {\n    /* moved */\n    ge-0/0/1 {\n        disable;\n    }\n}\n");
    assert_eq!(printed(&annotated), annotated);
    let again = of(&format!("annotate {port} \"moved\"\nannotate {port} \"moved back\""));
    assert_eq!(again, annotated.replace("moved", "moved back"));
    assert_eq!(of(&format!("annotate {port} \"moved\"\nannotate {port} \"\"")), of(""));
    assert_eq!(read_set("annotate system \"a */ b\"").1[0].bad_element, "a */ b");
    for with_marks in ["/* by hand */", "# by hand"] {
        let annotated = of(&format!("annotate {port} \"{with_marks}\""));
        assert_eq!(annotated, again.replace("/* moved back */", with_marks));
        assert_eq!(printed(&annotated), annotated);
    }
}

#[test]
fn comments_that_stand_before_no_statement_and_what_the_switch_says_itself_are_dropped() {
    let text = "## Last commit: 2026-11-29 12:00:00 UTC by admin
snmp {
    location x; /* behind it */
    contact y; # behind it
    description z; ## Warning: behind it
    name w; ## SECRET-DATA
    # before nothing
}
# at the end
";
    assert_eq!(
        printed(text),
        "snmp {\n    location x;\n    contact y;\n    description z;\n    name w; ## SECRET-DATA\n}\n"
    );
}

#[test]
fn an_annotation_with_either_mark_and_a_protection_pass_through_xml() {
    let xml = "<configuration><junos:comment># one</junos:comment><junos:comment>/* two */</junos:comment>\
        <snmp protect=\"protect\"><contact>the caller </contact></snmp></configuration>";
    let (edits, errors) =
        read_document(&xml.replace("<configuration>", "<configuration xmlns:junos=\"urn:x\">")).unwrap();
    assert_eq!(errors, []);
    let tree = tree_of(&edits);
    assert_eq!(print_text(&tree), "# one\n/* two */\nprotect: snmp {\n    contact \"the caller \";\n}\n");
    let flat: String = print_xml(&tree).lines().map(str::trim_start).collect();
    assert_eq!(format!("<configuration>{flat}</configuration>"), xml);
}
