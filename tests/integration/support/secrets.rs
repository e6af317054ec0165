//! Looks for a piece of a secret in a text, in every form in which it may have slipped out: as it
//! is, encoded or decoded, in any case, with anything put in between, and cut short. It prints
//! nothing itself, and shares no code with the program.

use super::text::{hex, percent_decode, percent_encode, xml_escape};

/// So many characters of a secret in a row are a leak.
const PIECE: usize = 8;

/// The piece of the secret that is in the text, if one is.
pub fn find(secret: &str, text: &str) -> Option<String> {
    // With the punctuation of the secret, and without any.
    for kept in [is_visible, char::is_alphanumeric as fn(char) -> bool] {
        let text: String = folded(text, kept).into_iter().collect();
        for form in forms(secret) {
            let form = folded(&form, kept);
            // Of punctuation alone there may be nothing left.
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

/// White space, control characters and what shows nothing are left out, and so is a `\` that JSON,
/// Debug or a shell put before a character.
fn is_visible(character: char) -> bool {
    (character.is_ascii_graphic() || character.is_alphanumeric()) && character != '\\'
}

fn forms(secret: &str) -> Vec<String> {
    let mut spellings = vec![secret.to_owned()];
    if let Some(decoded) = percent_decode(secret).and_then(|bytes| String::from_utf8(bytes).ok()) {
        spellings.push(decoded);
    }
    let mut forms = Vec::new();
    for spelling in spellings {
        let bytes = spelling.as_bytes();
        forms.extend([percent_encode(bytes), xml_escape(&spelling)]);
        // Two characters of hexadecimal are one of the secret, four of base64 are three.
        if bytes.len() >= PIECE {
            forms.push(hex(bytes));
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

/// The whole groups of three bytes in base64: whatever stands before a secret, its base64 is that
/// of one of its first three ends.
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
