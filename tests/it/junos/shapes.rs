//! Replies in every shape that real switches were seen to send, written anew (the sources are public test data and
//! issue reports of Juniper's and other clients).

/// A reply, what it is seen as, and where its shape was seen.
pub struct Shape {
    pub name: &'static str,
    pub seen: &'static str,
    pub text: &'static str,
    pub verdict: &'static str,
}

macro_rules! reply {
    ($inner:literal) => {
        concat!(
            "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" ",
            "xmlns:junos=\"http://xml.juniper.net/junos/15.1R7/junos\" message-id=\"7\">\n",
            $inner,
            "\n</rpc-reply>"
        )
    };
}

pub const SHAPES: &[Shape] = &[
    Shape { name: "bare ok", seen: "scottdware/go-junos 34", text: reply!("<ok/>"), verdict: "success" },
    Shape { name: "empty reply", seen: "Junos' own lock-configuration", text: reply!(""), verdict: "success" },
    Shape {
        name: "empty commit-results, then ok",
        seen: "Juniper/go-netconf",
        text: reply!("<commit-results>\n</commit-results>\n<ok/>"),
        verdict: "success",
    },
    Shape {
        name: "commit-success without ok",
        seen: "JNPR commit-configuration",
        text: reply!(
            "<commit-results><routing-engine><name>re0</name><commit-success/></routing-engine></commit-results>"
        ),
        verdict: "success",
    },
    Shape {
        name: "two routing engines",
        seen: "scottdware/go-junos 34",
        text: reply!(
            "<commit-results><routing-engine junos:style=\"show-name\"><name>re0</name><commit-success/></routing-engine>\
             <routing-engine junos:style=\"show-name\"><name>re1</name><commit-success/></routing-engine></commit-results><ok/>"
        ),
        verdict: "success",
    },
    Shape {
        name: "routing-engine never closed",
        seen: "ncclient, devices/junos.py; junipernetworks.junos 305",
        text: reply!("<commit-results><routing-engine><name>fpc0</name><commit-success/><ok/>"),
        verdict: "success",
    },
    Shape {
        name: "routing-engine never closed, with an error",
        seen: "the same, refused",
        text: reply!(
            "<commit-results><routing-engine><name>fpc0</name><rpc-error><error-severity>error</error-severity>\
             <error-message>configuration check-out failed</error-message></rpc-error></commit-results><ok/>"
        ),
        verdict: "refused: configuration check-out failed",
    },
    Shape {
        name: "confirmed, with its announcement",
        seen: "JNPR commit-configuration",
        text: reply!(
            "<commit-results><output>commit confirmed will be automatically rolled back in 10 minutes unless confirmed\
             </output><routing-engine><name>fpc0</name><commit-success/></routing-engine></commit-results><ok/>"
        ),
        verdict: "success",
    },
    Shape {
        name: "warnings before a success",
        seen: "Juniper/go-netconf",
        text: reply!(
            "<commit-results><rpc-error><error-severity>warning</error-severity><error-path>[edit protocols]</error-path>\
             <error-message>mgd: requires 'mpls' license</error-message><error-info><bad-element>mpls</bad-element>\
             </error-info></rpc-error><routing-engine><name>fpc0</name><commit-check-success/></routing-engine>\
             </commit-results><ok/>"
        ),
        verdict: "success, with warnings: mgd: requires 'mpls' license [edit protocols] (mpls)",
    },
    Shape {
        name: "a deletion of what is not there",
        seen: "SRX345 21.2R3",
        text: reply!(
            "<load-configuration-results><rpc-error><error-severity>warning</error-severity><error-message>\
             \nstatement not found\n</error-message></rpc-error><ok/></load-configuration-results>"
        ),
        verdict: "success, with warnings: statement not found",
    },
    Shape {
        name: "text of a daemon beside ok",
        seen: "jeremmfr/terraform-provider-junos 223",
        text: reply!("Non-existant dump device /dev/bo0s1b\n<ok/>"),
        verdict: "success",
    },
    Shape {
        name: "prefixes of rfc-compliant sessions",
        seen: "JNPR rfc-compliant",
        text: "<!-- user vmacd, class j-super-user -->\n<nc:rpc-reply xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
               nc:message-id=\"7\">\n<nc:ok/>\n</nc:rpc-reply>",
        verdict: "success",
    },
    Shape {
        name: "an error with prefixes",
        seen: "JNPR rfc-compliant",
        text: "<nc:rpc-reply xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><nc:rpc-error>\
               <nc:error-severity>error</nc:error-severity><nc:error-message>syntax error</nc:error-message>\
               <nc:error-info><nc:bad-element>x</nc:bad-element></nc:error-info></nc:rpc-error></nc:rpc-reply>",
        verdict: "refused: syntax error (x)",
    },
    Shape {
        name: "byte order mark and comments first",
        seen: "Juniper/py-junos-eznc",
        text: "\u{feff}<!-- session start at 2026-11-21 -->\n<rpc-reply><ok/></rpc-reply>",
        verdict: "success",
    },
    Shape {
        name: "errors without type and tag",
        seen: "Juniper/py-junos-eznc, load-configuration-error.xml",
        text: reply!(
            "<load-configuration-results><rpc-error><error-severity>error</error-severity><error-info>\
             <bad-element>system1</bad-element></error-info><error-message>syntax error</error-message></rpc-error>\
             <rpc-error><error-severity>error</error-severity><error-info><bad-element>}</bad-element></error-info>\
             <error-message>error recovery ignores input until this point</error-message></rpc-error>\
             </load-configuration-results>"
        ),
        verdict: "refused: syntax error (system1); error recovery ignores input until this point (})",
    },
    Shape {
        name: "warnings, an error and a count",
        seen: "junipernetworks.junos 195",
        text: reply!(
            "<load-configuration-results><rpc-error><error-severity>warning</error-severity>\
             <error-path>[edit interfaces vme]</error-path><error-message>statement not found: description</error-message>\
             </rpc-error><rpc-error><error-type>protocol</error-type><error-tag>operation-failed</error-tag>\
             <error-severity>error</error-severity><error-message>syntax error</error-message><error-info>\
             <bad-element>speed</bad-element></error-info></rpc-error><load-error-count>2</load-error-count>\
             </load-configuration-results>"
        ),
        verdict: "refused: syntax error (speed)",
    },
    Shape {
        name: "errors directly in the reply, with a prompt",
        seen: "Juniper/py-junos-eznc, 15.2",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>\ninterface-range 'a' is not defined\n\
             </error-message></rpc-error><rpc-error><error-severity>error</error-severity><error-message>\n\
             interface-ranges expansion failed\n</error-message></rpc-error><cli><banner></banner></cli>"
        ),
        verdict: "refused: interface-range 'a' is not defined; interface-ranges expansion failed",
    },
    Shape {
        name: "errors inside commit-results",
        seen: "Juniper/go-netconf",
        text: reply!(
            "<commit-results><rpc-error><error-type>application</error-type><error-tag>invalid-value</error-tag>\
             <error-severity>error</error-severity><error-path>[edit]</error-path><error-message>mgd: Missing mandatory \
             statement: 'root-authentication'</error-message><error-info><bad-element>system</bad-element></error-info>\
             </rpc-error><rpc-error><error-severity>error</error-severity><error-message>\nconfiguration check-out failed: \
             (missing mandatory statements)\n</error-message></rpc-error></commit-results>"
        ),
        verdict: "refused: mgd: Missing mandatory statement: 'root-authentication' [edit] (system); \
                  configuration check-out failed: (missing mandatory statements)",
    },
    Shape {
        name: "an error beside ok",
        seen: "RFC 6241 section 4.4 forbids it",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>configuration check-out failed\
             </error-message></rpc-error><ok/>"
        ),
        verdict: "refused: configuration check-out failed",
    },
    Shape {
        name: "an error of a daemon in the older form",
        seen: "JNPR xnm:error",
        text: reply!(
            "<commit-results><xnm:error xmlns:xnm=\"http://xml.juniper.net/xnm/1.1/xnm\"><source-daemon>dcd</source-daemon>\
             <edit-path>[edit interfaces ge-0/0/1]</edit-path><statement>unit 0</statement><message>cannot do that\
             </message></xnm:error></commit-results><ok/>"
        ),
        verdict: "refused: cannot do that [edit interfaces ge-0/0/1]",
    },
    Shape {
        name: "the duplicate MAC refusal",
        seen: "the case vmacd exists for; its wording is not confirmed on a switch",
        text: reply!(
            "<commit-results><rpc-error><error-severity>error</error-severity><error-path>[edit ethernet-switching-options \
             secure-access-port interface ge-0/0/1.0]</error-path><error-message>duplicate MAC address 02:a1:00:00:00:01\
             </error-message></rpc-error><rpc-error><error-severity>error</error-severity><error-message>configuration \
             check-out failed</error-message></rpc-error></commit-results>"
        ),
        verdict: "duplicate MAC: duplicate MAC address 02:a1:00:00:00:01 [edit ethernet-switching-options \
                  secure-access-port interface ge-0/0/1.0]; configuration check-out failed",
    },
    Shape {
        name: "permission denied, bare",
        seen: "Juniper/py-junos-eznc, get-permission-denied.xml",
        text: "<rpc-error xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><error-severity>error</error-severity>\
               <error-info><bad-element>load</bad-element></error-info><error-message>permission denied</error-message>\
               </rpc-error>",
        verdict: "permission denied: permission denied (load)",
    },
    Shape {
        name: "permission denied",
        seen: "Juniper/py-junos-eznc, 16.1",
        text: reply!(
            "<rpc-error><error-type>protocol</error-type><error-tag>operation-failed</error-tag>\
             <error-severity>error</error-severity><error-message>permission denied</error-message><error-info>\
             <bad-element>system</bad-element></error-info></rpc-error>"
        ),
        verdict: "permission denied: permission denied (system)",
    },
    Shape {
        name: "locked by an operator",
        seen: "napalm 1445",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>\nconfiguration database locked by:\n  \
             alice terminal pts/0 (pid 2019) on since 2026-11-21 09:12:44 UTC, idle 00:03:11\n      exclusive [edit]\n\
             </error-message></rpc-error>"
        ),
        verdict: "lock held: configuration database locked by: alice terminal pts/0 (pid 2019) on since \
                  2026-11-21 09:12:44 UTC, idle 00:03:11 exclusive [edit]",
    },
    Shape {
        name: "locked by a NETCONF session",
        seen: "ansible 53139",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>\nconfiguration database locked by:\n  \
             vmacd terminal  (pid 18186) on since 2026-11-21 09:12:44 UTC\n      exclusive [edit]\n</error-message></rpc-error>"
        ),
        verdict: "lock held: configuration database locked by: vmacd terminal (pid 18186) on since \
                  2026-11-21 09:12:44 UTC exclusive [edit]",
    },
    Shape {
        name: "somebody's edits in the candidate",
        seen: "junipernetworks.junos 404",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>\nconfiguration database modified\n\
             </error-message></rpc-error>"
        ),
        verdict: "dirty candidate: configuration database modified",
    },
    Shape {
        name: "the other routing engine is busy",
        seen: "ansible-junos-stdlib 140",
        text: reply!(
            "<commit-results><rpc-error><error-severity>error</error-severity><error-message>remote lock-configuration \
             failed on re1</error-message></rpc-error></commit-results>"
        ),
        verdict: "trouble: remote lock-configuration failed on re1",
    },
    Shape {
        name: "no daemon for the commit",
        seen: "Juniper/py-junos-eznc",
        text: reply!(
            "<commit-results><rpc-error><error-severity>error</error-severity><error-message>Error while forking commitd \
             process</error-message></rpc-error><rpc-error><error-severity>warning</error-severity><error-message>Could \
             not extract delta, reading the entire configuration</error-message></rpc-error></commit-results>"
        ),
        verdict: "trouble: Error while forking commitd process",
    },
    Shape {
        name: "unlock of what is not open",
        seen: "ansible-junos-stdlib 578",
        text: reply!(
            "<rpc-error><error-type>protocol</error-type><error-tag>operation-failed</error-tag>\
             <error-severity>error</error-severity><error-message>\nConfiguration database is not open\n</error-message>\
             </rpc-error>"
        ),
        verdict: "refused: Configuration database is not open",
    },
    Shape {
        name: "results of several members",
        seen: "EX4200 13.3",
        text: reply!(
            "<multi-routing-engine-results><multi-routing-engine-item><re-name>fpc0</re-name><software-information>\
             <product-model>ex4200-48t</product-model></software-information></multi-routing-engine-item>\
             </multi-routing-engine-results>"
        ),
        verdict: "success",
    },
    Shape {
        name: "a member that cannot be reached",
        seen: "a virtual chassis in trouble",
        text: reply!(
            "<rpc-error><error-severity>error</error-severity><error-message>Could not connect to fpc1 : No route to host\
             </error-message></rpc-error><multi-routing-engine-results/>"
        ),
        verdict: "trouble: Could not connect to fpc1 : No route to host",
    },
    Shape {
        name: "no XML at all",
        seen: "a shell in place of NETCONF",
        text: "Last login: Sat Nov 21",
        verdict: "not understood",
    },
    Shape { name: "nothing", seen: "a stray end mark", text: "\n", verdict: "not understood" },
];
