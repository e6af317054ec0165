//! The encodings that several fake servers read and write: percent, hex, XML. They share no code
//! with the program: an error in both would go unnoticed.

use std::fmt::Write as _;

use quick_xml::events::Event;

/// Percent-encodes all but the unreserved characters in upper-case hex, as AWS defines it.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    }
    text
}

/// Decodes a percent-encoded text. `None` if a `%` is not followed by two hex digits.
pub fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}

/// The decoded pairs of a query or form. `plus` says whether `+` is a space, as in a form.
pub fn pairs(text: &str, plus: bool) -> Option<Vec<(String, String)>> {
    let decode = |part: &str| {
        let part = if plus { part.replace('+', " ") } else { part.to_owned() };
        String::from_utf8(percent_decode(&part)?).ok()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

pub fn xml_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One element of a document, with its content.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub xmlns: Option<String>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The names of the children, in order.
    pub fn names(&self) -> Vec<&str> {
        self.children.iter().map(|child| child.name.as_str()).collect()
    }
}

/// Reads a whole document: one root, balanced tags, no prefixes, no DOCTYPE.
pub fn parse_xml(bytes: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let top = open.last_mut().ok_or("more end tags than start tags")?;
        match event {
            Event::Start(tag) => open.push(element(&tag)?),
            Event::Empty(tag) => top.children.push(element(&tag)?),
            Event::End(_) => {
                let done = open.pop().ok_or("more end tags than start tags")?;
                open.last_mut().ok_or("more end tags than start tags")?.children.push(done);
            }
            Event::Text(part) => {
                top.text.push_str(&part.xml10_content());
            }
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    _ => quick_xml::escape::resolve_predefined_entity(name)
                        .ok_or_else(|| format!("unknown entity &{name};"))?
                        .to_owned(),
                };
                top.text.push_str(&character);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => return Err(format!("unexpected in a request: {other:?}")),
        }
    }
    let [mut root] = <[Element; 1]>::try_from(open).map_err(|_| "an element is not closed")?;
    if root.children.len() == 1 && root.text.trim().is_empty() {
        Ok(root.children.remove(0))
    } else {
        Err("not one root element".to_owned())
    }
}

fn element(tag: &quick_xml::events::BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element { name: tag.name().as_ref().to_owned(), ..Element::default() };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.as_ref() != "xmlns" {
            return Err(format!("unexpected attribute in <{}>", element.name));
        }
        element.xmlns = Some(attribute.value.into_owned());
    }
    Ok(element)
}
