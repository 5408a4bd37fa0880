//! Text in a reply, byte for byte: what a switch says of its configuration.
//!
//! Old releases send bytes that are no UTF-8, and leave markup in the text as it is (`apply-path "system ntp server <*>"`;
//! ansible-junos-stdlib 528, ncclient 580, py-junos-eznc 1117). So no XML reader sees the text: it is what is between
//! the first start tag and the last end tag. A text that could mean two things, or is not all of it, is refused.

use std::borrow::Cow;

/// Why a text cannot be taken for what the switch holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The end is missing.
    #[error("it is cut off: `</{0}>` is missing")]
    Cut(String),
    /// Something else is in it.
    #[error("`<{0}` stands in the middle of it")]
    Markup(String),
    /// Some of it is escaped and some is not.
    #[error("it holds `{as_is}` as it is and `{escaped}` beside it, which may mean two things")]
    Mixed {
        /// What is not escaped.
        as_is: char,
        /// What looks escaped.
        escaped: String,
    },
    /// An entity that is not known.
    #[error("it holds `{0}`, which stands for nothing that is known")]
    Unknown(String),
}

/// Elements of replies: where one is in a text, the text is not all that the switch said there.
const OF_REPLIES: [&str; 6] = ["rpc-reply", "rpc-error", "error", "warning", "configuration", "hello"];

/// A reply without its text, and the text where there is one.
type Apart<'a> = (Cow<'a, [u8]>, Option<Vec<u8>>);

/// The text in the first element of this name, and the reply without it; no text where there is no such element.
///
/// # Errors
/// [`TextError`].
pub fn take_text<'a>(reply: &'a [u8], name: &str) -> Result<Apart<'a>, TextError> {
    let Some((start, _)) = tags(reply).find(|(_, tag)| tag.name == name && !tag.is_end) else {
        return Ok((Cow::Borrowed(reply), None));
    };
    let begin = reply[start..].iter().position(|byte| *byte == b'>').map(|end| start + end + 1);
    let begin = begin.ok_or_else(|| TextError::Cut(name.to_owned()))?;
    if reply[..begin].ends_with(b"/>") {
        return Ok((Cow::Borrowed(reply), Some(Vec::new())));
    }
    let end = last_end(&reply[begin..], name).ok_or_else(|| TextError::Cut(name.to_owned()))?;
    let (text, rest) = reply[begin..].split_at(end);
    let is_whole = rest.trim_ascii_end().ends_with(b">") && tags(rest).any(|(_, tag)| tag.is_end && tag.name != name);
    if !is_whole {
        return Err(TextError::Cut("rpc-reply".to_owned()));
    }
    Ok((Cow::Owned([&reply[..begin], rest].concat()), Some(unescaped(text, name)?)))
}

/// The beginning of a tag, by its name without prefix.
struct Tag<'a> {
    name: &'a str,
    is_end: bool,
}

/// The places that begin as tags do: `<name` and `</name`.
fn tags(text: &[u8]) -> impl Iterator<Item = (usize, Tag<'_>)> {
    let starts = text.iter().enumerate().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
    starts.filter_map(|at| Some((at, tag(&text[at..])?)))
}

fn tag(text: &[u8]) -> Option<Tag<'_>> {
    let is_end = text.get(1) == Some(&b'/');
    let begin = 1 + usize::from(is_end);
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let length = text[begin..].iter().take(64).take_while(|byte| of_name(byte)).count();
    let name = std::str::from_utf8(&text[begin..begin + length]).ok().filter(|name| !name.is_empty())?;
    Some(Tag { name: name.rsplit(':').next().unwrap_or(name), is_end })
}

/// Where the last end tag of this name begins.
fn last_end(text: &[u8], name: &str) -> Option<usize> {
    let starts = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
    let mut ends = starts.filter(|at| tag(&text[*at..]).is_some_and(|tag| tag.is_end && tag.name == name));
    ends.next()
}

/// Either all that XML escapes is escaped in the text, or nothing is.
fn unescaped(text: &[u8], name: &str) -> Result<Vec<u8>, TextError> {
    if let Some((_, tag)) = tags(text).find(|(_, tag)| tag.name == name || OF_REPLIES.contains(&tag.name)) {
        return Err(TextError::Markup(tag.name.to_owned()));
    }
    if let Some(at) = text.windows(2).position(|pair| matches!(pair, b"<!" | b"<?")) {
        let shown = String::from_utf8_lossy(&text[at + 1..text.len().min(at + 9)]);
        return Err(TextError::Markup(shown.escape_debug().to_string()));
    }
    let ampersands = text.iter().enumerate().filter(|(_, byte)| **byte == b'&').map(|(at, _)| at);
    let references: Vec<(usize, &[u8])> = ampersands.map(|at| (at, reference(&text[at..]))).collect();
    let escaped = references.iter().find(|(_, reference)| !reference.is_empty());
    let bare = references.iter().find(|(_, reference)| reference.is_empty()).map(|_| '&');
    let as_is = text.contains(&b'<').then_some('<').or(bare);
    match (escaped, as_is) {
        (None, _) => Ok(text.to_vec()),
        (Some((_, escaped)), Some(as_is)) => Err(TextError::Mixed { as_is, escaped: shown(escaped) }),
        (Some(_), None) => resolved(text, &references),
    }
}

/// What looks like `&name;` or `&#number;`; nothing for a lone ampersand.
fn reference(text: &[u8]) -> &[u8] {
    let inside = text[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    if inside > 0 && text.get(1 + inside) == Some(&b';') { &text[..inside + 2] } else { &[] }
}

fn shown(reference: &[u8]) -> String {
    String::from_utf8_lossy(reference).into_owned()
}

fn resolved(text: &[u8], references: &[(usize, &[u8])]) -> Result<Vec<u8>, TextError> {
    let mut resolved = Vec::with_capacity(text.len());
    // Numbers from 128 to 255 that follow each other.
    let (mut high, mut copied) = (Vec::new(), 0);
    for (at, reference) in references {
        if *at > copied {
            put_high(&mut resolved, &mut high);
        }
        resolved.extend_from_slice(&text[copied..*at]);
        copied = at + reference.len();
        match value(reference).ok_or_else(|| TextError::Unknown(shown(reference)))? {
            symbol @ '\u{80}'..='\u{ff}' => high.push(symbol as u8),
            symbol => {
                put_high(&mut resolved, &mut high);
                resolved.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    put_high(&mut resolved, &mut high);
    resolved.extend_from_slice(&text[copied..]);
    Ok(resolved)
}

/// Junos writes what is not ASCII as "UTF-8 decimal character references" (JNPR "How Character Encoding Works on Juniper
/// Networks Devices"): where the numbers come to UTF-8 they are its bytes, else they are the characters that XML says.
fn put_high(resolved: &mut Vec<u8>, high: &mut Vec<u8>) {
    match std::str::from_utf8(high) {
        Ok(_) => resolved.append(high),
        Err(_) => {
            let text: String = high.drain(..).map(char::from).collect();
            resolved.extend_from_slice(text.as_bytes());
        }
    }
}

fn value(reference: &[u8]) -> Option<char> {
    let name = std::str::from_utf8(&reference[1..reference.len() - 1]).ok()?;
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    number.ok().and_then(char::from_u32)
}

/// Text as it is written in a request. Control characters go as numbers, which is how Junos takes what is not plain text (the
/// same page); a carriage return would else arrive as a line feed (XML 1.0 section 2.11).
pub fn escaped(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len() + text.len() / 16);
    for byte in text {
        match byte {
            b'&' => escaped.extend_from_slice(b"&amp;"),
            b'<' => escaped.extend_from_slice(b"&lt;"),
            b'>' => escaped.extend_from_slice(b"&gt;"),
            b'\n' | b'\t' => escaped.push(*byte),
            byte if byte.is_ascii_control() => escaped.extend_from_slice(format!("&#{byte};").as_bytes()),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(text: &[u8]) -> Vec<u8> {
        let (start, end) =
            ("<rpc-reply message-id=\"7\">\n<configuration-text xmlns=\"x\">", "</configuration-text>\n");
        [start.as_bytes(), text, end.as_bytes(), b"</rpc-reply>"].concat()
    }

    fn read(text: &[u8]) -> Result<Vec<u8>, TextError> {
        let reply = around(text);
        let (rest, text) = take_text(&reply, "configuration-text")?;
        assert_eq!(rest, around(b""), "the text alone is taken out");
        Ok(text.expect("there is a text"))
    }

    #[test]
    fn markup_and_bytes_that_are_no_utf_8_are_kept_as_they_came() {
        for text in [
            &b"apply-path \"system ntp server <*>\";"[..],
            b"full-name \"caf\xe9 & more\";",
            b"<xe-*> { mtu 9192; }",
            b"a\r\nb\x1b[2J\tc",
            b"  ",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_is_escaped_is_what_it_stands_for() {
        for (escaped, text) in [
            ("&lt;*&gt; &amp;amp; &quot;&apos;", "<*> &amp; \"'".as_bytes()),
            ("&#60;&#x2A;&#27;&#13;", b"<*\x1b\r"),
            ("Pe&#195;&#177;a &#241; &#8364;", "Peña ñ €".as_bytes()),
        ] {
            assert_eq!(read(escaped.as_bytes()).as_deref(), Ok(text), "{escaped}");
        }
    }

    #[test]
    fn what_may_mean_two_things_or_is_not_all_of_it_is_refused() {
        for text in [
            "a &lt;b&gt; <c>",
            "a & b &amp; c",
            "&nbsp;",
            "&#x110000;",
            "<rpc-error><error-message>out of memory</error-message></rpc-error>",
            "a</configuration-text></item><item><configuration-text>b",
            "<![CDATA[a]]>",
            "<!-- a -->",
            "<xnm:warning>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let whole = around(b"system <*>;");
        for length in 46..whole.len() {
            assert!(take_text(&whole[..length], "configuration-text").is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_reply_without_the_text_has_none_and_an_empty_one_is_empty() {
        let text_of = |reply: &str| take_text(reply.as_bytes(), "configuration-text").map(|(_, text)| text);
        assert_eq!(text_of("<rpc-reply><rpc-error/></rpc-reply>"), Ok(None));
        assert_eq!(text_of("<rpc-reply><configuration-text/></rpc-reply>"), Ok(Some(Vec::new())));
        assert_eq!(
            text_of("<nc:rpc-reply><x:configuration-text>a</x:configuration-text></nc:rpc-reply>"),
            Ok(Some(b"a".to_vec()))
        );
    }

    /// What makes trouble, and anything.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"<*>".to_vec()),
            Just(b"&amp;".to_vec()),
            Just(b"&".to_vec()),
            Just(b"]]>]]>".to_vec()),
            Just(b"\xe9\xff".to_vec()),
            Just(b"\x00\x1b\r\n".to_vec()),
            "[a-z \";{}]{0,8}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_as_they_were_sent(text in bytes()) {
            prop_assert_eq!(read(&escaped(&text)), Ok(text));
        }

        #[test]
        fn unescaped_bytes_come_back_the_same_or_are_refused(text in bytes()) {
            let holds_reference = text.iter().enumerate().any(|(at, byte)| *byte == b'&' && !reference(&text[at..]).is_empty());
            match read(&text) {
                Ok(read) => prop_assert!(read == text || holds_reference),
                Err(error) => prop_assert!(holds_reference || text.contains(&b'<'), "{error}"),
            }
        }
    }
}
