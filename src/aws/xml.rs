//! Answers of AWS as a small tree of elements. Reads only what AWS writes: no DOCTYPE, no entities
//! beyond XML's own five, no depth and no number of elements that an answer never has. Knows no
//! service.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// No answer that is read here nests deeper.
const DEEPEST: usize = 16;
/// No answer that is read here has more elements: a page of ten record sets, each with the 400
/// values that Route 53 allows at most, has some 8,000. An element takes some 25 times the memory
/// of the four bytes that may stand for it.
const MAX_ELEMENTS: usize = 20_000;

/// What is said of an answer with more elements.
pub const TOO_MANY_ELEMENTS: &str = "is XML of more elements than any answer of AWS";
/// No element that is read here has a longer name, in bytes.
const MAX_NAME: usize = 64;
/// No word of an answer that is shown is longer, in bytes.
const MAX_WORD: usize = 64;

/// An element: its name without prefix, its text, and the elements in it. Attributes (there is
/// only ever a namespace) are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The text directly in it, all pieces joined, surrounding white space removed.
    pub text: String,
    /// The elements directly in it, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// The root element of a document. The error is a phrase about the document, and quotes nothing
    /// of it.
    pub fn parse(document: &str) -> Result<Self, &'static str> {
        if !document.chars().all(is_allowed) {
            return Err(FORBIDDEN);
        }
        let mut elements = 0;
        let mut reader = Reader::from_str(document);
        // The elements that are open, outermost first, below one that stands for the document.
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
                Event::Start(_) if depth > DEEPEST => {
                    return Err("is XML nested deeper than any answer of AWS");
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

    /// The first element of that name directly in this one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of that name directly in this one.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of the first element of that name directly in this one, if it is a word: 1 to 64
    /// letters, digits and `others`. What is shown of an answer without being quoted is such a
    /// word.
    pub fn word_of(&self, name: &str, others: &str) -> Option<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        self.text_of(name)
            .filter(|text| (1..=MAX_WORD).contains(&text.len()) && text.chars().all(is_part))
    }

    /// An empty element; its name may be shown, so it must be one.
    fn named(start: &BytesStart<'_>) -> Result<Self, &'static str> {
        let name = start.local_name();
        let name: &str = name.as_ref();
        if !(1..=MAX_NAME).contains(&name.len())
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return Err("is XML with a name in it that no answer of AWS has");
        }
        Ok(Self { name: name.into(), ..Self::default() })
    }
}

/// Whether a character may be in XML at all (XML 1.0, 2.2). The library leaves that to its caller,
/// and a name with a NUL in it would be the name of another record.
const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

const FORBIDDEN: &str = "is XML with a character that XML forbids";
const UNBALANCED: &str = "is XML with an end but no start";

/// `text` with the characters escaped that XML text cannot hold as they are.
pub fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_the_five_entities_are_read() {
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
        // White space by its number is surrounding, too.
        let root = Element::parse("<a>&#13; x &#32;\n</a> ").unwrap();
        assert_eq!(root.text, "x");
    }

    #[test]
    fn what_aws_never_writes_is_refused() {
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
            (&deep, "is XML nested deeper than any answer of AWS"),
            (&wide(MAX_ELEMENTS), "is XML of more elements than any answer of AWS"),
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
            let problem = "is XML with a name in it that no answer of AWS has";
            assert_eq!(Element::parse(document), Err(problem), "{document}");
        }
        for document in ["<a", "<a></b>", "</a>", "<html><br></html>", "<a>&"] {
            assert!(Element::parse(document).is_err(), "{document}");
        }
    }
}
