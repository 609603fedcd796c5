use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Settings;

/// The rules that these variables say.
fn rules(variables: &[(&str, &str)]) -> Rules {
    let said = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let nowhere = std::path::Path::new("/nonexistent");
    let (config, _) = Settings::read(said, nowhere, nowhere).check().unwrap();
    assert_eq!(config.fetch.timeout, Duration::from_secs(10));
    Rules::new(config.fetch)
}

fn why(rules: &Rules, url: &str) -> String {
    match rules.read(url) {
        Ok(url) => panic!("{url} is allowed"),
        Err(Refused(why)) => why,
    }
}

#[test]
fn public_urls_are_fetched() {
    let rules = rules(&[]);
    for url in [
        "https://example.com/a.png",
        "http://example.com",
        "https://example.com:443/",
        "http://example.com:80/",
        "https://example.com:80/",
        "https://example.com./",
        "https://EXAMPLE.com/?q#f",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://bücher.example/",
        "https://notlocalhost.example/",
        "https://mylocal.example/",
    ] {
        assert!(rules.read(url).is_ok(), "{url}: {:?}", rules.read(url));
    }
}

#[test]
fn what_breaks_a_rule_is_told_which() {
    let rules = rules(&[("FETCH_DENY", "denied.example, 8.8.4.0/24")]);
    for (url, rule) in [
        ("", "absolute"),
        ("/a.png", "absolute"),
        ("//example.com/a.png", "absolute"),
        ("https://", "absolute"),
        ("ftp://example.com/", "http and https"),
        ("file:///etc/passwd", "http and https"),
        ("gopher://example.com/", "http and https"),
        ("data:image/png;base64,AAAA", "http and https"),
        ("javascript:alert(1)", "http and https"),
        ("https://user@example.com/", "credentials"),
        ("https://user:pass@example.com/", "credentials"),
        ("https://:pass@example.com/", "credentials"),
        ("https://example.com:8443/", "port is 8443"),
        ("http://example.com:22/", "port is 22"),
        ("https://localhost/", "local network"),
        ("https://LOCALHOST./", "local network"),
        ("https://a.localhost/", "local network"),
        ("https://printer.local/", "local network"),
        ("https://db.corp.internal/", "local network"),
        ("https://router.home.arpa/", "local network"),
        ("https://redis/", "local network"),
        ("https://metadata/", "metadata"),
        ("http://metadata.google.internal/computeMetadata/v1/", "metadata"),
        ("http://Metadata.Google.Internal./", "metadata"),
        ("http://instance-data/", "metadata"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://168.63.129.16/", "metadata"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://[::ffff:169.254.169.254]/", "metadata"),
        ("https://denied.example/", "denied"),
        ("https://a.b.denied.example./", "denied"),
        ("https://8.8.4.4/", "denied"),
        // What browsers, and curl, take for 127.0.0.1.
        ("http://127.0.0.1/", "machine itself"),
        ("http://127.1/", "machine itself"),
        ("http://2130706433/", "machine itself"),
        ("http://0x7f000001/", "machine itself"),
        ("http://0x7f.0.0.1/", "machine itself"),
        ("http://0177.0.0.1/", "machine itself"),
        ("http://017700000001/", "machine itself"),
        ("http://127.0.0.1./", "machine itself"),
        ("http://127.%30.0.1/", "machine itself"),
        ("http://①②⑦.0.0.1/", "machine itself"),
        ("http://127。0。0。1/", "machine itself"),
        ("http:127.0.0.1/", "machine itself"),
        ("http:\\\\127.0.0.1\\", "machine itself"),
        ("http://0/", "this network"),
        ("http://10.0.0.1/", "private"),
        ("http://172.31.0.1/", "private"),
        ("http://192.168.1.1/", "private"),
        ("http://100.64.0.1/", "carrier"),
        ("http://[::1]/", "machine itself"),
        ("http://[0:0:0:0:0:0:0:1]/", "machine itself"),
        ("http://[::]/", "no address"),
        ("http://[::ffff:127.0.0.1]/", "mapped"),
        ("http://[::ffff:7f00:1]/", "mapped"),
        ("http://[::127.0.0.1]/", "written as IPv6"),
        ("http://[64:ff9b::7f00:1]/", "NAT64"),
        ("http://[2002:7f00:1::]/", "6to4"),
        ("http://[2001::1]/", "Teredo"),
        ("http://[fe80::1]/", "link-local"),
        ("http://[fc00::1]/", "private"),
        // What is no host at all.
        ("http://[fe80::1%25eth0]/", "absolute"),
        ("http://256.0.0.1/", "absolute"),
        ("http://1.2.3.4.5/", "absolute"),
        ("http://a b/", "absolute"),
    ] {
        let why = why(&rules, url);
        assert!(why.contains(rule), "{url}: {why}");
    }
}

#[test]
fn production_speaks_https_alone() {
    let production = [
        ("ENVIRONMENT", "production"),
        ("JWT_SECRET", "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91"),
        ("FETCH_ALLOW", "127.0.0.0/8:9000"),
    ];
    let rules = rules(&production);
    assert!(rules.read("https://example.com/").is_ok());
    for url in ["http://example.com/", "http://127.0.0.1:9000/", "ftp://example.com/"] {
        assert!(why(&rules, url).contains("only https is"), "{url}");
    }
    assert!(rules.read("https://127.0.0.1:9000/").is_ok());
}

#[test]
fn an_opening_is_a_network_on_a_port() {
    let rules = rules(&[
        ("FETCH_ALLOW", "127.0.0.0/8:9000,[fd00::/8]:9000,10.0.0.0/8:80,169.254.0.0/16:80"),
        ("FETCH_DENY", "10.9.0.0/16"),
    ]);
    for url in [
        "http://127.0.0.1:9000/",
        "http://127.8.8.8:9000/",
        "http://[fd00::1]:9000/",
        "http://10.0.0.1/",
        "http://localhost:9000/",
        "http://minio:9000/",
    ] {
        assert!(rules.read(url).is_ok(), "{url}: {:?}", rules.read(url));
    }
    for (url, rule) in [
        ("http://127.0.0.1/", "machine itself"),
        ("http://127.0.0.1:9001/", "port is 9001"),
        ("http://[::1]:9000/", "machine itself"),
        ("http://192.168.0.1:9000/", "private"),
        ("http://8.8.8.8:9000/", "this port"),
        ("http://10.9.0.1/", "denied"),
        ("http://169.254.169.254/", "metadata"),
        ("http://metadata.google.internal:9000/", "metadata"),
    ] {
        let why = why(&rules, url);
        assert!(why.contains(rule), "{url}: {why}");
    }
}

#[test]
fn of_what_a_name_resolves_to_only_the_public_is_connected_to() {
    let rules = rules(&[("FETCH_ALLOW", "127.0.0.0/8:9000"), ("FETCH_DENY", "8.8.4.0/24")]);
    let addresses = |list: &[&str]| {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>()
    };
    let reachable = |list: &[&str], port| rules.reachable(addresses(list).into_iter(), port);
    assert_eq!(reachable(&["8.8.8.8", "10.0.0.1"], 443), Ok(addresses(&["8.8.8.8"])));
    assert_eq!(reachable(&["127.0.0.1", "10.0.0.1"], 9000), Ok(addresses(&["127.0.0.1"])));
    assert_eq!(reachable(&[], 443), Ok(Vec::new()));
    for list in [&["10.0.0.1"][..], &["127.0.0.1", "::1"], &["8.8.4.4"], &["::ffff:8.8.8.8"]] {
        let Err(Refused(why)) = reachable(list, 443) else { panic!("{list:?}") };
        // Not a word of what was found.
        assert_eq!(why, "its host has no address that is public and allowed");
    }
}

#[test]
fn what_is_denied_is_denied_in_every_form() {
    let rules = rules(&[
        ("FETCH_ALLOW", "[64:ff9b::/32]:443,[2002::/16]:443,[2a00::/16]:443"),
        ("FETCH_DENY", "8.8.4.0/24"),
    ]);
    for host in [
        "64:ff9b::8.8.4.4",
        "64:ff9b:1::8.8.4.4",
        "64:ff9b:1:808:4:400:808:808",
        "2002:808:404::1",
        "2a00::5efe:808:404",
    ] {
        assert_eq!(
            why(&rules, &format!("https://[{host}]/")),
            "its address is denied by this service"
        );
    }
    assert!(rules.read("https://[64:ff9b::8.8.8.8]/").is_ok());
}

#[test]
fn an_opening_of_ipv6_does_not_open_ipv4() {
    let opening = ("FETCH_ALLOW", "[64:ff9b::/96]:443,[::1]:443,127.0.0.0/8:443,[::/8]:444");
    let rules = rules(&[opening]);
    for url in [
        "https://[64:ff9b::8.8.8.8]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[::1]/",
        "https://[::ffff:8.8.8.8]:444/",
        "https://[::1]:444/",
    ] {
        assert!(rules.read(url).is_ok(), "{url}: {:?}", rules.read(url));
    }
    for (url, rule) in [
        ("https://[64:ff9b::10.0.0.1]/", "private"),
        ("https://[::ffff:127.0.0.1]:444/", "machine itself"),
        ("https://[::10.0.0.1]:444/", "private"),
    ] {
        let why = why(&rules, url);
        assert!(why.contains(rule), "{url}: {why}");
    }
}

#[test]
fn a_port_that_is_opened_everywhere_is_opened_outside() {
    let rules = rules(&[("FETCH_ALLOW", "0.0.0.0/0:8443,[::/0]:8443,10.1.0.0/16:8443")]);
    for host in ["8.8.8.8", "[2606:4700::1111]", "example.com", "10.1.2.3"] {
        let url = format!("https://{host}:8443/");
        assert!(rules.read(&url).is_ok(), "{url}: {:?}", rules.read(&url));
    }
    for host in ["127.0.0.1", "10.0.0.1", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"] {
        assert!(rules.read(&format!("https://{host}:8443/")).is_err(), "{host}");
    }
    let found = ["10.1.0.1", "127.0.0.1", "::1"];
    let found = found.map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
    assert_eq!(rules.reachable(found.into_iter(), 8443), Ok(found[..1].to_vec()));
}

proptest! {
    /// No way of writing an address that is not public gets it past.
    #[test]
    fn no_spelling_of_a_private_address_is_let_through(
        a in prop_oneof![Just(10u32), Just(127)], rest in 0u32..1 << 24, form in 0..6
    ) {
        let bits = a << 24 | rest;
        let [_, b, c, d] = bits.to_be_bytes();
        let host = match form {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => bits.to_string(),
            2 => format!("0x{bits:x}"),
            3 => format!("0{bits:o}"),
            4 => format!("0x{a:x}.0{b:o}.{}", u32::from(c) << 8 | u32::from(d)),
            _ => format!("{a}.{rest}"),
        };
        let why = rules(&[]).read(&format!("http://{host}/")).unwrap_err();
        prop_assert!(why.0.starts_with("its address is"), "{}: {}", host, why);
    }
}
