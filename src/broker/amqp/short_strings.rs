//! Short strings as lapin can read them. AMQP's are bytes (section 4.2.5.3), and RabbitMQ passes on any; lapin ends the
//! connection at one that is not UTF-8, so that the message that has it would come again for ever. They are read as
//! Latin-1, which is what most such producers write. Tables in tables go so deep and no deeper: lapin reads each level on
//! its stack.

/// Most tables and lists within one another.
const DEPTH_MAX: usize = 32;
/// Longest short string, bytes.
const SHORT_BYTES_MAX: usize = 255;
/// What is before the flags of a content header: class, weight and the size of the body.
const FLAGS_AT: usize = 12;
/// The class `basic`, and its methods with texts of producers.
const BASIC: [u8; 2] = [0, 60];
const RETURN: [u8; 2] = [0, 50];
const DELIVER: [u8; 2] = [0, 60];
const GET_OK: [u8; 2] = [0, 71];

/// A property of the class `basic`, in their order (section 1.8).
#[derive(Clone, Copy)]
enum Property {
    Text,
    Table,
    Bytes(usize),
}

const PROPERTIES: [Property; 14] = {
    use Property::{Bytes, Table, Text};
    [Text, Text, Table, Bytes(1), Bytes(1), Text, Text, Text, Text, Bytes(8), Text, Text, Text, Text]
};

/// Why something is not passed on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not of the form that is known here: lapin says what is wrong.
    Form,
    /// Its table of headers is too deep.
    Deep,
}

type Read = Result<(), Unreadable>;

/// A content header with every short string in UTF-8.
pub(super) fn header(header: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut copy = Cursor { from: header, to: Vec::with_capacity(header.len()) };
    copy.bytes(FLAGS_AT)?;
    let flags = u16::from_be_bytes([copy.peek(0)?, copy.peek(1)?]);
    copy.bytes(2)?;
    for (place, property) in PROPERTIES.into_iter().enumerate() {
        if flags & (0x8000 >> place) != 0 {
            match property {
                Property::Text => copy.short()?,
                Property::Table => copy.nested(0, Cursor::field)?,
                Property::Bytes(count) => copy.bytes(count)?,
            }
        }
    }
    copy.end()
}

/// A method with every short string in UTF-8, where it has texts of producers.
pub(super) fn method(method: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut copy = Cursor { from: method, to: Vec::with_capacity(method.len()) };
    let id = [copy.peek(2)?, copy.peek(3)?];
    if [copy.peek(0)?, copy.peek(1)?] != BASIC {
        return Err(Unreadable::Form);
    }
    copy.bytes(4)?;
    match id {
        RETURN => copy.bytes(2).and_then(|()| copy.short())?,
        DELIVER => copy.short().and_then(|()| copy.bytes(9))?,
        GET_OK => copy.bytes(9)?,
        _ => return Err(Unreadable::Form),
    }
    // Exchange and routing key.
    copy.short()?;
    copy.short()?;
    copy.end()
}

/// Copies what it reads.
struct Cursor<'a> {
    from: &'a [u8],
    to: Vec<u8>,
}

impl<'a> Cursor<'a> {
    fn peek(&self, at: usize) -> Result<u8, Unreadable> {
        self.from.get(at).copied().ok_or(Unreadable::Form)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.from.split_at_checked(count).ok_or(Unreadable::Form)?;
        self.from = rest;
        Ok(taken)
    }

    fn bytes(&mut self, count: usize) -> Read {
        let bytes = self.take(count)?;
        self.to.extend_from_slice(bytes);
        Ok(())
    }

    fn long(&mut self) -> Result<usize, Unreadable> {
        let length: [u8; 4] = self.take(4)?.try_into().map_err(|_| Unreadable::Form)?;
        Ok(u32::from_be_bytes(length) as usize)
    }

    fn short(&mut self) -> Read {
        let length = usize::from(self.take(1)?[0]);
        let bytes = self.take(length)?;
        let text = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.to_vec(),
            Err(_) => latin(bytes),
        };
        self.to.push(text.len() as u8);
        self.to.extend_from_slice(&text);
        Ok(())
    }

    /// A table or a list, each of whose entries `entry` copies.
    fn nested(&mut self, depth: usize, entry: impl Fn(&mut Self, usize) -> Read) -> Read {
        if depth >= DEPTH_MAX {
            return Err(Unreadable::Deep);
        }
        let length = self.long()?;
        let mut inner = Cursor { from: self.take(length)?, to: Vec::with_capacity(length) };
        while !inner.from.is_empty() {
            entry(&mut inner, depth + 1)?;
        }
        self.to.extend_from_slice(&(inner.to.len() as u32).to_be_bytes());
        self.to.append(&mut inner.to);
        Ok(())
    }

    fn field(&mut self, depth: usize) -> Read {
        self.short()?;
        self.value(depth)
    }

    fn value(&mut self, depth: usize) -> Read {
        let kind = self.peek(0)?;
        self.bytes(1)?;
        match kind {
            b'V' => Ok(()),
            b't' | b'b' | b'B' => self.bytes(1),
            b's' | b'U' | b'u' => self.bytes(2),
            b'I' | b'i' | b'f' => self.bytes(4),
            b'D' => self.bytes(5),
            b'L' | b'l' | b'd' | b'T' => self.bytes(8),
            b'S' | b'x' => {
                let length = u32::from_be_bytes([self.peek(0)?, self.peek(1)?, self.peek(2)?, self.peek(3)?]);
                self.bytes(4 + length as usize)
            }
            b'A' => self.nested(depth, Cursor::value),
            b'F' => self.nested(depth, Cursor::field),
            _ => Err(Unreadable::Form),
        }
    }

    fn end(mut self) -> Result<Vec<u8>, Unreadable> {
        self.to.extend_from_slice(self.from);
        Ok(self.to)
    }
}

/// The bytes as Latin-1, as much as a short string holds.
fn latin(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    text.as_bytes()[..text.floor_char_boundary(SHORT_BYTES_MAX)].to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(text: &[u8]) -> Vec<u8> {
        [&[text.len() as u8], text].concat()
    }

    fn sized(content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32).to_be_bytes(), content].concat()
    }

    /// A content header with a table of headers and a message id.
    fn with(table: &[u8], id: &[u8]) -> Vec<u8> {
        let start = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5][..], &[0x20, 0x80]].concat();
        [start, sized(table), short(id)].concat()
    }

    #[test]
    fn what_is_in_utf_8_stays_as_it_is() {
        let list = [&b"A"[..], &sized(b"t\x01V")].concat();
        let inner = [&b"F"[..], &sized(&[short(b"k"), b"l\0\0\0\0\0\0\0\x07".to_vec()].concat())].concat();
        let bytes = [&b"S"[..], &sized(b"any \xff bytes")].concat();
        let table = [short("ü".as_bytes()), list, short(b"f"), inner, short(b"s"), bytes].concat();
        let whole = with(&table, "order-ü".as_bytes());
        assert_eq!(header(&whole), Ok(whole));
        let deliver = [&[0, 60, 0, 60][..], &short(b"tag"), &[0; 9], &short(b"vmac.commands"), &short(b"vmac.create")];
        assert_eq!(method(&deliver.concat()), Ok(deliver.concat()));
    }

    #[test]
    fn what_is_not_is_read_as_latin_1_wherever_it_is() {
        let table = |name: &[u8]| [short(name), b"t\x01".to_vec()].concat();
        let expected = with(&table("Größe".as_bytes()), "m-ü".as_bytes());
        assert_eq!(header(&with(&table(b"Gr\xf6\xdfe"), b"m-\xfc")), Ok(expected));
        let deliver = |key: &[u8]| [&[0, 60, 0, 60][..], &short(b"tag"), &[0; 9], &short(b"e"), &short(key)].concat();
        assert_eq!(method(&deliver(b"vmac.cr\xe9e")), Ok(deliver("vmac.crée".as_bytes())));
        let longest = header(&with(b"", &[0xff; 255])).expect("readable");
        assert_eq!(longest.last_chunk::<255>().map(|id| id[0]), Some(254), "a whole number of characters");
    }

    #[test]
    fn tables_without_end_are_not_followed() {
        let nested =
            |depth: usize| (0..depth).fold(Vec::new(), |inner, _| [short(b"k"), b"F".to_vec(), sized(&inner)].concat());
        assert!(header(&with(&nested(DEPTH_MAX - 1), b"m")).is_ok());
        assert_eq!(header(&with(&nested(DEPTH_MAX), b"m")), Err(Unreadable::Deep));
        assert_eq!(header(&with(&nested(9_000), b"m")), Err(Unreadable::Deep));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_left(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let whole = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5][..], &bytes].concat();
            if let Ok(readable) = header(&whole) {
                prop_assert_eq!(header(&readable), Ok(readable.clone()));
            }
            let _ = method(&[&[0, 60, 0, 60][..], &bytes].concat());
        }
    }
}
