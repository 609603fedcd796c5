//! What the headers of pictures mean to a cache that takes them at their word.

use std::time::{Duration, SystemTime};

use reqwest::{Client, Method};

use crate::{
    account::{Account, Answer, ask, client, get},
    nginx::Nginx,
    process::{PATIENCE, Serving, Shell},
};

/// A service, an account of it, and the cache before it.
struct World {
    nginx: Nginx,
    account: Account,
    http: Client,
    _serving: Serving,
    _shell: Shell,
}

impl World {
    async fn new() -> Self {
        let shell = Shell::new().with("PORT", "0");
        let serving = shell.serve(&[]);
        let nginx = Nginx::before(&serving.url);
        let account = Account::open(&serving.url).await;
        Self { nginx, account, http: client(), _serving: serving, _shell: shell }
    }

    /// Asks through the cache.
    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        get(&self.http, &format!("{}{path}", self.nginx.url), headers).await
    }

    async fn head(&self, path: &str) -> Answer {
        ask(&self.http, Method::HEAD, &format!("{}{path}", self.nginx.url), &[]).await
    }

    /// Asks twice: the second answer is the first one, kept.
    async fn kept(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let first = self.get(path, headers).await;
        assert_eq!((first.status, first.header("x-proxy-cache")), (200, "MISS"), "{path}");
        let second = self.get(path, headers).await;
        assert_eq!((second.status, second.header("x-proxy-cache")), (200, "HIT"), "{path}");
        for name in
            ["etag", "content-type", "content-disposition", "last-modified", "cache-control"]
        {
            assert_eq!(first.header(name), second.header(name), "{path}: {name}");
        }
        assert_eq!(first.body, second.body);
        second
    }
}

#[tokio::test]
async fn the_second_request_is_answered_by_the_cache() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/c_fill,w_60,h_40/{id}.jpg");
    let answer = world.kept(&path, &[]).await;
    assert_eq!(answer.header("content-type"), "image/jpeg");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("vary"), "", "it depends on nothing");
    let original = world.kept(&format!("/i/{id}"), &[]).await;
    assert_eq!(original.header("content-type"), "image/png");
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/w_50/{id}.png");
    let first = world.kept(&path, &[]).await;
    let (etag, modified) = (first.header("etag"), first.header("last-modified"));
    assert!(etag.starts_with('"'), "strong: {etag}");
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (name, value, status) in [
        ("if-none-match", etag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-none-match", &format!("\"other\", W/{etag}"), 304),
        ("if-modified-since", modified, 304),
        ("if-modified-since", old, 200),
    ] {
        let again = world.get(&path, &[(name, value)]).await;
        assert_eq!(
            (again.status, again.header("x-proxy-cache")),
            (status, "HIT"),
            "{name}: {value}"
        );
        assert_eq!(again.header("etag"), etag);
        assert_eq!(again.body.is_empty(), status == 304);
    }
}

/// A cache that is in doubt asks whether what it has is still so, and is not sent it again.
#[tokio::test]
async fn a_cache_revalidates() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/doubting/i/w_50/{id}.png");
    let first = world.get(&path, &[]).await;
    assert_eq!((first.status, first.header("x-proxy-cache")), (200, "MISS"));
    let asking = async {
        loop {
            let answer = world.get(&path, &[]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.body, first.body);
            match answer.header("x-proxy-cache") {
                "HIT" => {}
                "REVALIDATED" => return,
                // Anything else would have had it sent again.
                other => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes to doubt");
}

#[tokio::test]
async fn a_part_is_cut_from_what_is_kept() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/w_70/{id}.png");
    // The first request too: the cache asks for all of it.
    let first = world.get(&path, &[("range", "bytes=0-9")]).await;
    let whole = world.get(&path, &[]).await;
    assert_eq!((whole.status, whole.header("x-proxy-cache")), (200, "HIT"));
    let (size, etag) = (whole.body.len(), whole.header("etag"));
    assert_eq!((first.status, &first.body), (206, &whole.body.slice(..10)));
    let middle = format!("bytes 10-19/{size}");
    let last = format!("bytes {}-{}/{size}", size - 5, size - 1);
    for (range, status, told, part) in [
        ("bytes=10-19", 206, &middle, whole.body.slice(10..20)),
        ("bytes=-5", 206, &last, whole.body.slice(size - 5..)),
    ] {
        for condition in [None, Some(("if-range", etag))] {
            let headers: Vec<_> =
                [Some(("range", range)), condition].into_iter().flatten().collect();
            let answer = world.get(&path, &headers).await;
            assert_eq!((answer.status, answer.header("x-proxy-cache")), (status, "HIT"), "{range}");
            assert_eq!((answer.header("content-range"), &answer.body), (told.as_str(), &part));
            assert_eq!(answer.header("etag"), etag);
        }
        let other = world.get(&path, &[("range", range), ("if-range", "\"other\"")]).await;
        assert_eq!((other.status, &other.body), (200, &whole.body), "of another picture all");
    }
    let beyond = world.get(&path, &[("range", "bytes=1000000-")]).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
}

#[tokio::test]
async fn what_depends_on_accept_is_kept_apart() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/w_60,f_auto/{id}");
    let browsers = [
        ("image/avif,image/webp,*/*;q=0.8", "image/avif"),
        ("image/webp,*/*;q=0.8", "image/webp"),
        ("*/*", "image/jpeg"),
        ("image/avif;q=0,image/webp;q=0.1", "image/webp"),
    ];
    for (accept, mime_type) in browsers {
        let first = world.get(&path, &[("accept", accept)]).await;
        assert_eq!((first.status, first.header("content-type")), (200, mime_type), "{accept}");
        assert_eq!(first.header("vary").to_ascii_lowercase(), "accept");
    }
    for (accept, mime_type) in browsers {
        let again = world.get(&path, &[("accept", accept)]).await;
        assert_eq!(again.header("x-proxy-cache"), "HIT", "{accept}");
        assert_eq!(again.header("content-type"), mime_type, "{accept}");
    }
    // Which one it has, is not asked of the wrong one.
    let avif = world.get(&path, &[("accept", browsers[0].0)]).await;
    let headers = [("accept", "*/*"), ("if-none-match", avif.header("etag"))];
    assert_eq!(world.get(&path, &headers).await.status, 200);
}

/// The cache goes by whole seconds, and may keep what ends within one to its end.
#[tokio::test]
async fn a_link_that_ends_is_kept_no_longer() {
    let world = World::new().await;
    let id = world.account.upload().await;
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    // A machine that stands still is too late for the first.
    let (path, exp, kept) = loop {
        let (path, exp) = world.account.sign(&id, "w_40", 4).await;
        let asked = now();
        let first = world.get(&path, &[]).await;
        if first.status != 200 {
            continue;
        }
        let kept = first.header("cache-control").strip_prefix("public, max-age=").unwrap();
        let kept = kept.parse::<u64>().unwrap();
        let exp = u64::try_from(exp).unwrap();
        assert!(kept <= exp - asked.as_secs(), "{kept}");
        if kept > 1 {
            break (path, exp, kept);
        }
    };
    // It counts from when it has the answer.
    let end = Duration::from_secs(exp.max(now().as_secs() + kept) + 1);
    let mut hits = 0;
    loop {
        let asked = now();
        let answer = world.get(&path, &[]).await;
        if answer.status == 403 {
            let body = String::from_utf8_lossy(&answer.body);
            assert!(body.contains("signature_expired"), "{body}");
            break;
        }
        assert_eq!(answer.status, 200);
        assert!(asked < end, "shown {:?} after its end", asked - end);
        hits += usize::from(answer.header("x-proxy-cache") == "HIT");
    }
    assert!(hits > 0, "it was kept for a while");
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let world = World::new().await;
    let id = world.account.upload().await;
    let path = format!("/i/w_30/{id}.png");
    let refused = async |status: u16| {
        for _ in 0..2 {
            let answer = world.get(&path, &[]).await;
            assert_eq!(answer.status, status);
            assert_ne!(answer.header("x-proxy-cache"), "HIT");
        }
    };
    // Private, so not there; then public, and not allowed.
    refused(404).await;
    world.account.allow(&[], true).await;
    world.account.set_public(&id, true).await;
    refused(403).await;
    world.account.allow(&["w_30"], true).await;
    world.kept(&path, &[]).await;
}

#[tokio::test]
async fn a_head_is_the_head_of_what_is_kept() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/w_45/{id}.webp");
    let head = world.head(&path).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    // The cache has asked for the picture itself.
    let picture = world.get(&path, &[]).await;
    assert_eq!((picture.status, picture.header("x-proxy-cache")), (200, "HIT"));
    for name in ["etag", "content-type", "content-length", "last-modified", "cache-control"] {
        assert_eq!(head.header(name), picture.header(name), "{name}");
    }
    assert_eq!(head.header("content-length"), picture.body.len().to_string());
    let again = world.head(&path).await;
    assert_eq!((again.header("x-proxy-cache"), again.body.len()), ("HIT", 0));
}

#[tokio::test]
async fn what_is_to_be_saved_is_kept_apart() {
    let world = World::new().await;
    let id = world.account.publish().await;
    let path = format!("/i/w_55/{id}.jpg");
    let saved = format!("{path}?dl=1");
    let shown = world.kept(&path, &[]).await;
    assert_eq!(shown.header("content-disposition"), "");
    let to_save = world.kept(&saved, &[]).await;
    assert_eq!(to_save.header("content-disposition"), "attachment; filename=\"cat.jpg\"");
    assert_eq!(to_save.body, shown.body);
    for (path, told) in [(&path, ""), (&saved, "attachment; filename=\"cat.jpg\"")] {
        let again = world.get(path, &[]).await;
        assert_eq!(again.header("x-proxy-cache"), "HIT");
        assert_eq!(again.header("content-disposition"), told);
    }
}
