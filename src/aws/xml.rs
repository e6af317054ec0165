//! Parses XML responses of AWS into a small tree of elements. Accepts only the XML that AWS sends:
//! no DOCTYPE, no entities but the five of XML, limited depth and number of elements. Knows no
//! service.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const MAX_DEPTH: usize = 16;
/// A page of ten record sets with 400 values each, the limit of Route 53, has about 8,000 elements.
/// The limit saves memory: an element of four bytes (`<a/>`) takes about 25 times as much.
const MAX_ELEMENTS: usize = 20_000;

pub const TOO_MANY_ELEMENTS: &str = "is XML with more elements than any response of AWS";
/// Of an element, in bytes.
const MAX_NAME: usize = 64;
/// In bytes.
const MAX_WORD: usize = 64;

/// An element without its attributes. The only attribute that AWS sends is a namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Without prefix.
    pub name: String,
    /// The text directly in this element: all pieces joined, without surrounding white space.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// Returns the root element. The error is a phrase about the document that quotes nothing.
    pub fn parse(document: &str) -> Result<Self, &'static str> {
        if !document.chars().all(is_allowed) {
            return Err(FORBIDDEN);
        }
        let mut elements = 0;
        let mut reader = Reader::from_str(document);
        // The open elements, outermost first. The first one stands for the document.
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().map_err(|_| "is not XML")?;
            let depth = open.len();
            let Some(current) = open.last_mut() else { return Err(UNBALANCED) };
            elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
            if elements > MAX_ELEMENTS {
                return Err(TOO_MANY_ELEMENTS);
            }
            match event {
                Event::Start(_) if depth > MAX_DEPTH => {
                    return Err("is XML nested deeper than any response of AWS");
                }
                Event::Start(start) => open.push(Self::named(&start)?),
                Event::Empty(start) => current.children.push(Self::named(&start)?),
                Event::End(_) => {
                    let mut done = open.pop().ok_or(UNBALANCED)?;
                    done.text = done.text.trim().into();
                    open.last_mut().ok_or(UNBALANCED)?.children.push(done);
                }
                Event::Text(text) => current.text.push_str(&text),
                Event::CData(text) => current.text.push_str(&text),
                Event::GeneralRef(reference) => {
                    let character = match &*reference {
                        "amp" => Some('&'),
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "apos" => Some('\''),
                        "quot" => Some('"'),
                        _ => reference.resolve_char_ref().ok().flatten(),
                    };
                    let Some(character) = character else {
                        return Err("is XML with an entity of its own");
                    };
                    if !is_allowed(character) {
                        return Err(FORBIDDEN);
                    }
                    current.text.push(character);
                }
                Event::DocType(_) => return Err("is XML with a DOCTYPE"),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty()).ok_or("is cut off")?;
        match (
            document.children.pop(),
            document.children.is_empty(),
            document.text.trim().is_empty(),
        ) {
            (Some(root), true, true) => Ok(root),
            (None, _, true) => Err("is empty"),
            _ => Err("is not one XML element"),
        }
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of the first child of that name, if it is a word of 1 to 64 letters, digits and
    /// `others`. Only such words of a response are shown without quotes.
    pub fn word_of(&self, name: &str, others: &str) -> Option<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        self.text_of(name)
            .filter(|text| (1..=MAX_WORD).contains(&text.len()) && text.chars().all(is_part))
    }

    /// An empty element. Checks the name, because messages may show it.
    fn named(start: &BytesStart<'_>) -> Result<Self, &'static str> {
        let name = start.local_name();
        let name: &str = name.as_ref();
        if !(1..=MAX_NAME).contains(&name.len())
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return Err("is XML with a name that no response of AWS has");
        }
        Ok(Self { name: name.into(), ..Self::default() })
    }
}

/// Whether XML allows the character (XML 1.0, section 2.2). quick-xml does not check this, and a
/// DNS name with a NUL in it would be the name of another record.
const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

const FORBIDDEN: &str = "is XML with a character that XML forbids";
const UNBALANCED: &str = "is XML with an end but no start";

pub fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_the_five_entities_are_parsed() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?>\n<!-- hi --><n:a xmlns:n=\"u\">\n <b>x &amp; &lt;y&gt; \
             &#65;&quot;&apos;</b>\n <c/>\n <d><![CDATA[<raw>]]></d></n:a>\n",
        )
        .unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text, "");
        assert_eq!(root.text_of("b"), Some("x & <y> A\"'"));
        assert_eq!(root.text_of("c"), Some(""));
        assert_eq!(root.text_of("d"), Some("<raw>"));
        assert_eq!(root.child("e"), None);
        // White space written as a character reference is removed too.
        let root = Element::parse("<a>&#13; x &#32;\n</a> ").unwrap();
        assert_eq!(root.text, "x");
    }

    #[test]
    fn xml_that_aws_never_sends_is_rejected() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let wide = |count| format!("<a>{}</a>", "<b/>".repeat(count));
        assert_eq!(
            Element::parse(&wide(MAX_ELEMENTS - 1)).unwrap().children.len(),
            MAX_ELEMENTS - 1
        );
        for (document, problem) in [
            ("", "is empty"),
            ("   ", "is empty"),
            ("hello", "is not one XML element"),
            ("<a/><b/>", "is not one XML element"),
            ("<a>x</a>y", "is not one XML element"),
            ("<a><b>", "is cut off"),
            ("<a>&evil;</a>", "is XML with an entity of its own"),
            ("<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>", "is XML with a DOCTYPE"),
            ("<!DOCTYPE html><html></html>", "is XML with a DOCTYPE"),
            (&deep, "is XML nested deeper than any response of AWS"),
            (&wide(MAX_ELEMENTS), TOO_MANY_ELEMENTS),
            ("<a>x\0</a>", "is XML with a character that XML forbids"),
            ("<a>\0<b/></a>", "is XML with a character that XML forbids"),
            ("<a\u{1b}/>", "is XML with a character that XML forbids"),
            ("<a>\u{FFFE}</a>", "is XML with a character that XML forbids"),
            ("<a>&#27;</a>", "is XML with a character that XML forbids"),
        ] {
            assert_eq!(Element::parse(document), Err(problem), "{document:.99}");
        }
        let long = format!("<{}/>", "a".repeat(65));
        for document in ["<a;x/>", "<a:/>", "<\u{feff}a/>", "<a\u{7f}></a\u{7f}>", &long] {
            let problem = "is XML with a name that no response of AWS has";
            assert_eq!(Element::parse(document), Err(problem), "{document}");
        }
        for document in ["<a", "<a></b>", "</a>", "<html><br></html>", "<a>&"] {
            assert!(Element::parse(document).is_err(), "{document}");
        }
    }
}
