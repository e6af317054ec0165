//! Checks of `aws::xml`: compares it with an XML parser that shares no code with it.

use autodns::parts::Element;

/// If both parsers accept a document, they return the same tree of names and texts.
pub fn elements(data: &[u8]) {
    let Ok(document) = str::from_utf8(data) else { return };
    let read = Element::parse(document);
    assert_eq!(read, Element::parse(document), "read twice");
    match &read {
        Ok(root) => {
            assert_is_xml(root, 0);
            if let Ok(other) = roxmltree::Document::parse(document) {
                assert_same(root, other.root_element());
            }
            for beginning in super::beginnings(document) {
                if let Ok(cut) = Element::parse(beginning) {
                    assert_eq!(&cut, root, "cut off, but read as a whole: {beginning:?}");
                }
            }
        }
        Err(problem) => {
            super::assert_phrase(problem);
            // aws::xml rejects depth, size, a DOCTYPE and strange names on purpose.
            let on_purpose = [
                "is XML nested deeper",
                "is XML with more elements",
                "is XML with a DOCTYPE",
                "is XML with a name that no response",
            ];
            // The other parser wrongly accepts three things: `:a` as the name `a`, so that `</a>`
            // ends `<:a>`; a reference beyond Unicode; and a version that contains `?>`.
            let by_number =
                document.contains("&#") && *problem == "is XML with an entity of its own";
            let by_version = document.starts_with("<?xml") && *problem == "is not one XML element";
            let by_prefix = document.contains("</:") || document.contains("<:");
            let is_sure = !(by_prefix || by_number || by_version);
            if is_sure && !on_purpose.iter().any(|start| problem.starts_with(start)) {
                let other = roxmltree::Document::parse(document);
                assert!(other.is_err(), "valid XML was rejected: {problem}");
            }
        }
    }
}

/// Names can be shown, and texts contain only characters that XML allows (XML 1.0, productions 2
/// and 4).
fn assert_is_xml(element: &Element, depth: usize) {
    assert!(depth <= 16, "deeper than any response");
    let Element { name, text, children } = element;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    assert!(!name.is_empty() && name.chars().all(is_name), "not a name: {name:?}");
    assert_eq!(text, text.trim(), "white space around a text");
    assert!(
        !text.contains(|c| matches!(c,
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')),
        "a character that XML does not allow: {text:?}"
    );
    for child in children {
        assert_is_xml(child, depth + 1);
    }
}

fn assert_same(ours: &Element, theirs: roxmltree::Node) {
    assert_eq!(ours.name, theirs.tag_name().name());
    let text: String = theirs.children().filter_map(|n| n.text().filter(|_| n.is_text())).collect();
    // One of the two parsers unifies the three forms of a line break.
    let one_line = |text: &str| text.replace(['\r', '\n'], "");
    assert_eq!(one_line(&ours.text), one_line(text.trim()), "in {}", ours.name);
    let theirs: Vec<_> = theirs.children().filter(roxmltree::Node::is_element).collect();
    assert_eq!(ours.children.len(), theirs.len(), "elements in {}", ours.name);
    for (ours, theirs) in ours.children.iter().zip(theirs) {
        assert_same(ours, theirs);
    }
}
