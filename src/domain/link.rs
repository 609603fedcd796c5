//! The path of a picture: `/i/[s--<signature>--/][<transformation>/]<image id>[.<ext>]`, read without looking anything up.

use super::ids::ImageId;

/// What all paths of pictures begin with.
pub const PREFIX: &str = "/i/";

/// A picture's path, taken apart. Everything is as it was sent, percent-encoding and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// The signature, if there is one.
    pub signature: Option<&'a str>,
    /// What to make of the picture; empty where nothing is said.
    pub transformation: &'a str,
    /// The last segment, `<image id>[.<ext>]`.
    pub file: &'a str,
}

impl<'a> Link<'a> {
    /// Takes what follows [`PREFIX`] apart. Whether it means anything is not looked at: a signature can be checked first.
    pub fn read(path: &'a str) -> Self {
        let (signature, path) = match path.split_once('/') {
            Some((first, rest)) => {
                match first.strip_prefix("s--").and_then(|it| it.strip_suffix("--")) {
                    Some(signature) => (Some(signature), rest),
                    None => (None, path),
                }
            }
            None => (None, path),
        };
        let (transformation, file) = path.rsplit_once('/').unwrap_or(("", path));
        Self { signature, transformation, file }
    }

    /// The picture and the extension that it is asked for with. `None` if this is no picture's name.
    pub fn picture(&self) -> Option<(ImageId, Option<&'a str>)> {
        let (id, ext) = match self.file.split_once('.') {
            Some((id, ext)) => (id, Some(ext)),
            None => (self.file, None),
        };
        Some((id.parse().ok()?, ext))
    }

    /// Whether it is the name of one preset and nothing else: of several, one after another, there would be no end.
    pub fn is_preset(&self) -> bool {
        let name = self.transformation.strip_prefix("t_");
        name.is_some_and(|name| !name.is_empty() && !name.contains([',', '/', '%']))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10";

    fn read(path: &str) -> (Option<&str>, &str, Option<Option<&str>>) {
        let link = Link::read(path);
        (link.signature, link.transformation, link.picture().map(|(_, ext)| ext))
    }

    #[test]
    fn a_path_is_taken_apart() {
        let file = format!("{ID}.webp");
        for (path, expected) in [
            (
                format!("c_fill,w_3/e_sepia/{file}"),
                (None, "c_fill,w_3/e_sepia", Some(Some("webp"))),
            ),
            (format!("t_small/{ID}"), (None, "t_small", Some(None))),
            (format!("s--k.x--/w_3/{file}"), (Some("k.x"), "w_3", Some(Some("webp")))),
            (format!("s--k.x--/{file}"), (Some("k.x"), "", Some(Some("webp")))),
            (file, (None, "", Some(Some("webp")))),
            ("w_3/picture.jpg".to_owned(), (None, "w_3", None)),
            ("s--k.x--".to_owned(), (None, "", None)),
            (String::new(), (None, "", None)),
        ] {
            assert_eq!(read(&path), expected, "{path}");
        }
    }

    #[test]
    fn a_preset_is_one_name() {
        for (transformation, expected) in [
            ("t_a", true),
            ("t_a/t_b", false),
            ("t_a,w_3", false),
            ("t_a/w_3", false),
            ("t_a%2Cw_3", false),
            ("t_a%2Fw_3", false),
            ("t_", false),
            ("", false),
        ] {
            let path = format!("{transformation}/{ID}.jpg");
            assert_eq!(Link::read(&path).is_preset(), expected, "{transformation}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_strange(path in ".{0,80}") {
            let link = Link::read(&path);
            let _ = (link.picture(), link.is_preset());
            prop_assert!(path.ends_with(link.file));
        }
    }
}
