//! What a file that was fetched is called.

use percent_encoding::percent_decode;
use url::Url;

/// The name that a `Content-Disposition` gives (RFC 6266): `filename*` before `filename`.
pub(super) fn of_disposition(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let mut plain = None;
    for (name, value) in parameters(&text) {
        if name.eq_ignore_ascii_case("filename*") {
            // RFC 8187: charset, language, text.
            let mut parts = value.splitn(3, '\'');
            let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
            if charset.eq_ignore_ascii_case("utf-8") {
                let name = percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned();
                return Some(name).filter(|name| !name.is_empty());
            }
        } else if name.eq_ignore_ascii_case("filename") {
            plain.get_or_insert(value);
        }
    }
    plain.filter(|name| !name.is_empty())
}

/// The last segment of a URL's path.
pub(super) fn of_url(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back().filter(|last| !last.is_empty())?;
    Some(percent_decode(last.as_bytes()).decode_utf8_lossy().into_owned())
}

/// The parameters behind the first `;`, unquoted.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after.trim_start());
        found.push((name.trim(), value));
        rest = after.split_once(';').map_or("", |(_, rest)| rest);
    }
    found
}

/// The token or quoted string that `text` begins with, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, _) = text.split_once(';').unwrap_or((text, ""));
        let rest = text.get(token.len()..).unwrap_or_default();
        return (token.trim_end().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            _ => value.push(char),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_disposition_names_its_file() {
        for (value, name) in [
            ("attachment; filename=cat.png", Some("cat.png")),
            ("attachment; filename=\"my cat.png\"", Some("my cat.png")),
            ("inline;filename=\"a\\\"b;c.png\"; size=3", Some("a\"b;c.png")),
            ("attachment; FileName = cat.png ; x=y", Some("cat.png")),
            (
                "attachment; filename=\"e.png\"; filename*=UTF-8''%e2%82%ac.png",
                Some("\u{20ac}.png"),
            ),
            ("attachment; filename*=utf-8'en'a%20b.png; filename=e.png", Some("a b.png")),
            ("attachment; filename*=iso-8859-1''%a3; filename=e.png", Some("e.png")),
            ("attachment; filename=\"\"", None),
            ("attachment; filename=\"never closed", Some("never closed")),
            ("attachment", None),
            ("", None),
            (";;;=;\"", None),
        ] {
            assert_eq!(of_disposition(value.as_bytes()).as_deref(), name, "{value}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_disposition_says_is_read(value in ".*", quoted in "[\\x20-\\x7e]*") {
            let _ = of_disposition(value.as_bytes());
            let written = quoted.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("attachment; filename=\"{written}\"; size=3");
            prop_assert_eq!(of_disposition(header.as_bytes()).unwrap_or_default(), quoted);
        }
    }

    #[test]
    fn a_url_names_its_file_by_its_last_segment() {
        for (url, name) in [
            ("https://a.example/x/cat.png?size=3#top", Some("cat.png")),
            ("https://a.example/my%20cat%2F..png", Some("my cat/..png")),
            ("https://a.example/x/", None),
            ("https://a.example", None),
        ] {
            assert_eq!(of_url(&Url::parse(url).unwrap()).as_deref(), name, "{url}");
        }
    }
}
