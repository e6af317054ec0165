//! Looks for a secret in a text, in every form in which it may have slipped out: as it is, encoded
//! or decoded, and cut short. It prints nothing itself.

use super::text::{percent_decode, percent_encode, xml_escape};

/// So long a piece of a secret is a leak.
const PIECE: usize = 9;

/// The piece of the secret that is in the text, if one is.
pub fn find(secret: &str, text: &str) -> Option<String> {
    // A `\` or `/` that JSON, Debug or a shell put before a character must not hide it.
    let plain = [text.to_owned(), text.replace('\\', "")];
    let folded: Vec<String> = plain.iter().map(|text| text.to_lowercase()).collect();
    for form in forms(secret) {
        let characters: Vec<char> = form.to_lowercase().chars().collect();
        for piece in characters.windows(PIECE.min(characters.len())) {
            let piece: String = piece.iter().collect();
            if folded.iter().any(|text| text.contains(&piece)) {
                return Some(piece);
            }
        }
    }
    None
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        percent_encode(secret.as_bytes()),
        xml_escape(secret),
        base64(secret.as_bytes()),
    ];
    if let Some(decoded) = percent_decode(secret).and_then(|bytes| String::from_utf8(bytes).ok()) {
        forms.push(percent_encode(decoded.as_bytes()));
        forms.push(xml_escape(&decoded));
        forms.push(base64(decoded.as_bytes()));
        forms.push(decoded);
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - chunk.len()));
        // The incomplete last group is left out: it is too short to prove a leak.
        if chunk.len() == 3 {
            text.extend([18, 12, 6, 0].map(|shift| alphabet[(word >> shift & 63) as usize]));
        }
    }
    text
}
