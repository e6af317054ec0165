//! Reads the name of an issuer and the size of an RSA key from the DER of a certificate, for
//! messages. The bytes are untrusted: they may be malformed. Does not decide whom to trust.

use crate::secrets::one_line;

/// Object identifiers of the attributes that identify an issuer (X.520), the preferred one first:
/// common name, organisation, organisational unit.
const ATTRIBUTES: [&[u8]; 3] = [&[0x55, 4, 3], &[0x55, 4, 10], &[0x55, 4, 11]];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `rsaEncryption` (RFC 8017, appendix C).
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
/// How many characters of a name a message shows at most.
const MAX_LENGTH: usize = 64;

/// The name to show for an X.509 `Name`. `contents` are the DER bytes of the `Name` without the
/// outer tag and length (RFC 5280, section 4.1.2.4). `None` if no attribute can be shown.
pub fn shown_name(contents: &[u8]) -> Option<String> {
    let mut found: [Option<String>; ATTRIBUTES.len()] = Default::default();
    let mut sets = contents;
    while let Some((SET, mut attributes)) = next(&mut sets) {
        while let Some((SEQUENCE, mut pair)) = next(&mut attributes) {
            let Some((OBJECT_IDENTIFIER, attribute)) = next(&mut pair) else { break };
            let Some((tag, value)) = next(&mut pair) else { break };
            let place = ATTRIBUTES.iter().position(|known| *known == attribute);
            if let Some(place) = place.and_then(|place| found.get_mut(place)) {
                *place = text(tag, value).or(place.take());
            }
        }
    }
    found.into_iter().flatten().next()
}

/// The size in bits of an RSA key, or `None` for other keys. `contents` are the DER bytes of its
/// `SubjectPublicKeyInfo` without the outer tag and length (RFC 5280, section 4.1).
pub fn rsa_bits(contents: &[u8]) -> Option<usize> {
    let mut rest = contents;
    let (SEQUENCE, mut algorithm) = next(&mut rest)? else { return None };
    next(&mut algorithm).filter(|value| *value == (OBJECT_IDENTIFIER, RSA))?;
    let (BIT_STRING, key) = next(&mut rest)? else { return None };
    // The first byte of a BIT STRING is the number of unused bits, which is 0 for a key.
    let mut key = key.strip_prefix(&[0])?;
    let (SEQUENCE, mut key) = next(&mut key)? else { return None };
    let (INTEGER, modulus) = next(&mut key)? else { return None };
    let first = modulus.iter().position(|&byte| byte != 0)?;
    let (high, rest) = modulus.get(first..)?.split_first()?;
    Some(rest.len() * 8 + (8 - high.leading_zeros() as usize))
}

/// Like `rsa_bits`, but for DER with the outer tag and length.
pub fn rsa_bits_of_der(mut spki: &[u8]) -> Option<usize> {
    next(&mut spki).filter(|(tag, _)| *tag == SEQUENCE).and_then(|(_, contents)| rsa_bits(contents))
}

/// Removes the first DER value from `rest` and returns its tag and contents. Supports lengths of up
/// to two bytes, which is enough for any name or key.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, length, after) = match **rest {
        [tag, length @ ..=0x7f, ref after @ ..] | [tag, 0x81, length, ref after @ ..] => {
            (tag, usize::from(length), after)
        }
        [tag, 0x82, high, low, ref after @ ..] => {
            (tag, usize::from(high) << 8 | usize::from(low), after)
        }
        _ => return None,
    };
    let (contents, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((tag, contents))
}

fn text(tag: u8, value: &[u8]) -> Option<String> {
    let text = match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => std::str::from_utf8(value).ok()?.to_owned(),
        // Real certificates use Latin-1 here, although the standard says T.61.
        TELETEX_STRING => value.iter().map(|&byte| char::from(byte)).collect(),
        _ => return None,
    };
    let shown: String = one_line(&text).chars().take(MAX_LENGTH).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The DER of a name with one attribute, without the outer tag and length.
    fn attribute(kind: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let mut pair = vec![OBJECT_IDENTIFIER, 3, 0x55, 4, kind, tag, length(value)];
        pair.extend_from_slice(value);
        let mut der = vec![SET, length(&pair) + 2, SEQUENCE, length(&pair)];
        der.extend(pair);
        der
    }

    #[test]
    fn common_name_is_preferred_to_the_organisation() {
        let country = attribute(6, PRINTABLE_STRING, b"DE");
        let organisation = attribute(10, PRINTABLE_STRING, b"Example Trust");
        let common = attribute(3, UTF8_STRING, "Zürich CA".as_bytes());
        for (parts, shown) in [
            (vec![&country, &organisation, &common], Some("Zürich CA")),
            (vec![&common, &organisation], Some("Zürich CA")),
            (vec![&country, &organisation], Some("Example Trust")),
            (vec![&country], None),
            (vec![], None),
        ] {
            let der: Vec<u8> = parts.into_iter().flatten().copied().collect();
            assert_eq!(shown_name(&der).as_deref(), shown);
        }
        let latin = attribute(3, TELETEX_STRING, b"Z\xfcrich");
        assert_eq!(shown_name(&latin).as_deref(), Some("Zürich"));
    }

    #[test]
    fn malformed_name_shows_nothing_and_long_name_is_cut() {
        let long = attribute(3, UTF8_STRING, &[b'x'; 100]);
        assert_eq!(shown_name(&long).unwrap().len(), MAX_LENGTH);
        let control = attribute(3, UTF8_STRING, b"a\n\x1b[31mb");
        assert_eq!(shown_name(&control).as_deref(), Some("a [31mb"));
        for end in 0..long.len() {
            assert_eq!(shown_name(&long[..end]), None, "{end}");
        }
        for der in [
            &attribute(3, UTF8_STRING, b"\xff")[..],
            &attribute(3, 0x1e, b"\0x"),
            &attribute(3, UTF8_STRING, b" \n"),
            &[SET, 0x83, 0, 0, 0],
            &[SET, 0x80],
        ] {
            assert_eq!(shown_name(der), None);
        }
    }
}
