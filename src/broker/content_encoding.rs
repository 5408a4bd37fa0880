//! The property `content_encoding` of messages: gzip is read, up to the length that a body may have, and others are refused by name.
//!
//! Clients also write the character set there (Celery and Python's Kombu `utf-8`), or both (Spring AMQP `gzip:UTF-8`).

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::domain::{BODY_BYTES_MAX, Code, Failure, shown};

/// The header that keeps the encoding of a body that could not be read, so that a replay says the same of it.
pub(super) const UNREAD: &str = "x-vmacd-content-encoding";

/// The names of what a body is without being encoded; whether it is UTF-8 is checked when it is read.
const PLAIN: [&str; 8] = ["", "identity", "utf-8", "utf8", "us-ascii", "ascii", "8bit", "binary"];
const GZIP: [&str; 2] = ["gzip", "x-gzip"];

/// The body as it was before it was encoded; none where it was not. Never reads more than a body may have.
///
/// # Errors
/// A permanent [`Failure`]: an encoding that is not read, a body that is not of it, or one too long.
pub(super) fn decoded(encoding: &str, body: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let names = encoding.split([',', ':']).map(|name| name.trim().to_ascii_lowercase());
    let encodings: Vec<String> = names.filter(|name| !PLAIN.contains(&name.as_str())).collect();
    match encodings.as_slice() {
        [] => Ok(None),
        [name] if GZIP.contains(&name.as_str()) => unzipped(body).map(Some),
        _ => {
            let text =
                format!("content_encoding `{}` is not read: publish the body as it is, or with gzip", shown(encoding));
            Err(Failure::new(Code::InvalidEncoding, text))
        }
    }
}

fn unzipped(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut unzipped = Vec::new();
    let read = MultiGzDecoder::new(body).take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut unzipped);
    match read {
        Err(error) => {
            let text = format!("content_encoding is gzip, but the body is not: {error}");
            Err(Failure::new(Code::InvalidEncoding, text))
        }
        Ok(bytes) if bytes > BODY_BYTES_MAX => {
            let text = format!("the body has more than {BODY_BYTES_MAX} bytes once it is unzipped; at most that many");
            Err(Failure::new(Code::TooLarge, text))
        }
        Ok(_) => Ok(unzipped),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn zipped(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn gzip_is_read_under_each_of_its_names_and_in_several_members() {
        let body = br#"{"server_id": 1042}"#;
        for encoding in ["gzip", "GZIP", "x-gzip", "gzip:UTF-8", "gzip, utf-8", " gzip "] {
            assert_eq!(decoded(encoding, &zipped(body)), Ok(Some(body.to_vec())), "{encoding}");
        }
        let members = [zipped(&body[..7]), zipped(&body[7..])].concat();
        assert_eq!(decoded("gzip", &members), Ok(Some(body.to_vec())));
    }

    #[test]
    fn what_only_names_the_character_set_is_left_alone() {
        for encoding in ["", "identity", "utf-8", "UTF-8", "us-ascii", "binary"] {
            assert_eq!(decoded(encoding, b"{}"), Ok(None), "{encoding}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_by_name() {
        for encoding in ["deflate", "br", "zstd", "base64", "utf-16", "gzip, gzip", "aes256"] {
            let failure = decoded(encoding, b"{}").expect_err("refused");
            assert_eq!(failure.code, Code::InvalidEncoding);
            assert!(failure.text.contains(&format!("`{encoding}`")), "{failure}");
        }
        let whole = zipped(b"{}");
        for body in [&b"{}"[..], &[], &whole[..whole.len() - 1], &[&whole[..], b"more"].concat()] {
            let failure = decoded("gzip", body).expect_err("refused");
            assert_eq!(failure.code, Code::InvalidEncoding, "{body:?}");
        }
    }

    #[test]
    fn no_more_is_unzipped_than_a_body_may_have() {
        let longest = vec![b'x'; BODY_BYTES_MAX];
        assert_eq!(decoded("gzip", &zipped(&longest)), Ok(Some(longest)));
        let bomb = zipped(&vec![0; 64 << 20]);
        assert!(bomb.len() < 128 << 10);
        for body in [zipped(&vec![b'x'; BODY_BYTES_MAX + 1]), bomb] {
            assert_eq!(decoded("gzip", &body).expect_err("refused").code, Code::TooLarge);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(encoding in ".{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decoded(&encoding, &body);
            let _ = decoded("gzip", &body);
        }
    }
}
