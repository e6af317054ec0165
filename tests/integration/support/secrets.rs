//! Searches a text for a part of a secret: plain, encoded or decoded, in upper or lower case, with
//! other characters inserted, or cut short. It prints nothing and shares no code with the program.

use super::text::{hex, percent_decode, percent_encode, xml_escape};

/// This many consecutive characters of a secret are a leak.
const PIECE: usize = 8;

/// The part of the secret that is in the text, if any.
pub fn find(secret: &str, text: &str) -> Option<String> {
    // Compare with the punctuation of the secret and without.
    for kept in [is_visible, char::is_alphanumeric as fn(char) -> bool] {
        let text: String = folded(text, kept).into_iter().collect();
        for form in forms(secret) {
            let form = folded(&form, kept);
            // A secret of punctuation only leaves nothing to compare.
            let pieces = form.windows(PIECE.min(form.len()).max(1));
            if let Some(piece) = pieces
                .map(|piece| piece.iter().collect())
                .find(|piece: &String| text.contains(piece))
            {
                return Some(piece);
            }
        }
    }
    None
}

fn folded(text: &str, kept: fn(char) -> bool) -> Vec<char> {
    text.chars().filter(|&c| kept(c)).flat_map(char::to_lowercase).collect()
}

/// Whether a character is compared. Not compared are white space, control characters, invisible
/// characters, and the `\` that JSON, Debug or a shell puts before a character.
fn is_visible(character: char) -> bool {
    (character.is_ascii_graphic() || character.is_alphanumeric()) && character != '\\'
}

/// The secret, and the secret in each encoding.
fn forms(secret: &str) -> Vec<String> {
    let mut spellings = vec![secret.to_owned()];
    if let Some(decoded) = percent_decode(secret).and_then(|bytes| String::from_utf8(bytes).ok()) {
        spellings.push(decoded);
    }
    let mut forms = Vec::new();
    for spelling in spellings {
        let bytes = spelling.as_bytes();
        forms.extend([percent_encode(bytes), xml_escape(&spelling)]);
        // Eight characters of hex are four bytes of the secret, eight of base64 are six.
        if bytes.len() >= PIECE {
            forms.push(hex(bytes));
            // The base64 from the first, the second and the third byte on. Whatever precedes the
            // secret in an echo, its base64 contains one of these.
            for skipped in 0..3 {
                let standard = base64(&bytes[skipped..]);
                forms.push(standard.replace('+', "-").replace('/', "_"));
                forms.push(standard);
            }
        }
        forms.push(spelling);
    }
    forms
}

/// The base64 of the whole groups of three bytes, without padding.
fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut text = String::new();
    for chunk in bytes.chunks_exact(3) {
        let word = chunk.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        text.extend([18, 12, 6, 0].map(|shift| alphabet[(word >> shift & 63) as usize]));
    }
    text
}
