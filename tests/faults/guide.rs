//! docs/DEPLOYMENT.md, as far as it is for machines: the variables that it names, and its query.

use std::path::Path;

use url::Url;

use crate::{
    servers::{ESCAPED, PASSWORD, tls::HOST},
    world::Ports,
};

/// The guide's block of variables, over servers of this machine: the same names in the same form, and only what is the
/// customer's own put in its place.
pub fn variables(ports: &Ports, database: &str, authority: &Path) -> Vec<(&'static str, String)> {
    let authority = authority.to_str().unwrap();
    let rabbitmq = ports.rabbitmq.expect("the guide has a broker");
    let block = block();
    let mut variables: Vec<_> = block
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| match name {
            "ENVIRONMENT" => ("ENVIRONMENT", value.to_owned()),
            "JWT_SECRET" => ("JWT_SECRET", "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91".to_owned()),
            "PUBLIC_URL" => ("PUBLIC_URL", value.to_owned()),
            "SUPABASE_DB_URL" => {
                let mut url = ours(value, ports.postgres, "postgres", database);
                let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
                url.set_query(None);
                for (name, value) in &pairs {
                    let value = if name == "sslrootcert" { authority } else { value };
                    url.query_pairs_mut().append_pair(name, value);
                }
                ("SUPABASE_DB_URL", url.into())
            }
            "UPSTASH_REDIS_HOST" => ("UPSTASH_REDIS_HOST", HOST.to_owned()),
            "UPSTASH_REDIS_PORT" => ("UPSTASH_REDIS_PORT", ports.redis.to_string()),
            "UPSTASH_REDIS_PASSWORD" => ("UPSTASH_REDIS_PASSWORD", PASSWORD.to_owned()),
            "CLOUDAMQP_URL" => {
                let mut url = ours(value, rabbitmq, "guest", "%2f");
                url.set_password(Some("guest")).unwrap();
                ("CLOUDAMQP_URL", url.into())
            }
            _ => panic!("the guide names {name}, and nobody here knows what to put there"),
        })
        .collect();
    assert!(variables.len() > 6, "the guide names only {} variables", variables.len());
    // What the guide says of authorities of one's own.
    variables.push(("SSL_CERT_FILE", authority.to_owned()));
    variables
}

/// The guide's URL, with what is ours in the place of what is the customer's.
fn ours(url: &str, port: u16, user: &str, path: &str) -> Url {
    let mut url = Url::parse(url).unwrap();
    url.set_host(Some(HOST)).unwrap();
    url.set_port(Some(port)).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(ESCAPED)).unwrap();
    url.set_path(path);
    url
}

/// How many jobs wait, as the guide asks for it.
pub fn query() -> String {
    let guide = guide();
    let (_, rest) = guide.split_once("--command \"").expect("the guide has a query");
    rest.split_once('"').unwrap().0.to_owned()
}

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DEPLOYMENT.md");
    std::fs::read_to_string(path).unwrap()
}

/// What stands between the guide's marks.
fn block() -> String {
    let guide = guide();
    let (_, rest) =
        guide.split_once("<!-- variables:begin -->").expect("the mark of the beginning");
    let (block, _) = rest.split_once("<!-- variables:end -->").expect("the mark of the end");
    block.to_owned()
}
