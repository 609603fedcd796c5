//! The document says what is served, and what is served is in the document.

use std::{collections::BTreeSet, path::Path};

use darkroom::domain::error::Code;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, expect, problem, text};

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

async fn document(sandbox: &Sandbox) -> Value {
    expect(sandbox.request(Method::GET, "/openapi.json").send().await, StatusCode::OK).await
}

/// Path, method and operation of everything in the document.
fn operations(document: &Value) -> Vec<(&str, Method, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            (path.as_str(), method.to_uppercase().parse().unwrap(), operation)
        })
    });
    operations.collect()
}

/// A path that fits a template.
fn filled(template: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    template.replace("{id}", &id).replace("{file}", "swagger-ui.css").replace("{name}", "card")
}

#[tokio::test]
async fn it_is_the_one_that_the_command_prints() {
    let sandbox = Sandbox::start().await;
    let served = document(&sandbox).await;
    assert!(text(&served, "openapi").starts_with("3.1."), "{}", served["openapi"]);
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_darkroom"))
        .arg("openapi")
        .current_dir(sandbox.data_dir())
        .output()
        .unwrap();
    assert!(printed.status.success(), "{printed:?}");
    assert_eq!(served, serde_json::from_slice::<Value>(&printed.stdout).unwrap());
}

#[tokio::test]
async fn every_operation_in_it_is_served() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let document = document(&sandbox).await;
    assert!(operations(&document).len() > 30);
    for (template, method, operation) in operations(&document) {
        let path = filled(template);
        let what = format!("{method} {template}");
        let answer = ada.request(method.clone(), &path).json(&json!({})).send().await.unwrap();
        let status = answer.status();
        // A stream of events has no end.
        let streams =
            answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if streams { String::new() } else { answer.text().await.unwrap() };
        assert!(!status.is_server_error(), "{what}: {status} {body}");
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
        assert!(!body.contains("nothing at this path"), "{what}: {body}");

        // Whatever does not say otherwise asks who is there.
        let is_open = operation["security"] == json!([{}]);
        let answer = sandbox.request(method, &path).json(&json!({})).send().await;
        if is_open {
            let status = answer.unwrap().status();
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{what} needs no token");
        } else {
            problem(answer, 401, "unauthenticated").await;
        }
    }
}

#[tokio::test]
async fn nothing_else_is_served() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let document = document(&sandbox).await;
    let templates: BTreeSet<_> = operations(&document).into_iter().map(|(path, ..)| path).collect();
    for template in &templates {
        let documented: BTreeSet<String> = operations(&document)
            .into_iter()
            .filter(|(path, ..)| path == template)
            .flat_map(|(_, method, _)| match method {
                Method::GET => vec!["GET".to_owned(), "HEAD".to_owned()],
                other => vec![other.to_string()],
            })
            .collect();
        for method in METHODS.into_iter().filter(|method| !documented.contains(method.as_str())) {
            let answer = ada.request(method.clone(), &filled(template)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {template}");
            let allow = answer.headers()["allow"].to_str().unwrap();
            let allowed: BTreeSet<_> = allow.split(", ").map(str::to_owned).collect();
            assert_eq!(allowed, documented, "{method} {template}");
            if method != Method::HEAD {
                problem(Ok(answer), 405, "method_not_allowed").await;
            }
        }
        // A step beside every documented path there is nothing.
        let path = filled(template);
        let beside = [
            format!("{path}/x"),
            format!("/x{path}"),
            path.replacen("/v1", "/v2", 1),
            path.to_uppercase(),
            path.rsplit_once('/').unwrap().0.to_owned(),
        ];
        for path in beside.into_iter().filter(|path| !is_documented(&templates, path)) {
            let answer = ada.request(Method::GET, &path).send().await;
            let told = problem(answer, 404, "not_found").await;
            assert!(text(&told, "detail").contains("nothing at this path"), "{path}: {told}");
        }
    }
}

fn is_documented(templates: &BTreeSet<&str>, path: &str) -> bool {
    let path = if path.is_empty() { "/" } else { path };
    templates.iter().any(|template| {
        let (template, path): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        // What a picture is to become has slashes of its own.
        let whole = template == ["", "i", "{path}"] && path.len() > template.len();
        (template.len() == path.len() || whole)
            && template.iter().zip(&path).all(|(pattern, segment)| {
                pattern == segment || pattern.starts_with('{') && !segment.is_empty()
            })
    })
}

/// The gate lets in what the document names, so an undocumented route could never answer; that none
/// has been written and forgotten there is read off the source: each route says `answered(` once.
#[tokio::test]
async fn every_route_that_is_written_is_in_it() {
    let sandbox = Sandbox::start().await;
    let document = document(&sandbox).await;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let routes: usize = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap().matches("| answered(").count())
        .sum();
    assert_eq!(routes, operations(&document).len());
}

#[tokio::test]
async fn it_names_every_error() {
    let sandbox = Sandbox::start().await;
    let document = document(&sandbox).await;
    let schemas = &document["components"]["schemas"];
    let problem = &schemas["Problem"];
    assert_eq!(problem["properties"]["code"]["$ref"], "#/components/schemas/Code");
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(schemas["Code"]["enum"], json!(codes));
    for (path, method, operation) in operations(&document) {
        let default = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(default["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_limited_says_so() {
    let sandbox = Sandbox::start().await;
    let document = document(&sandbox).await;
    let mut limited = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        let Some(refused) = responses.get("429") else { continue };
        limited.insert(text(operation, "operationId"));
        assert!(refused["headers"]["Retry-After"].is_object(), "{method} {path}");
        let problem = &refused["content"]["application/problem+json"]["schema"];
        assert_eq!(problem["$ref"], "#/components/schemas/Problem", "{method} {path}");
        for (status, response) in responses.iter().filter(|(status, _)| *status != "default") {
            for name in ["RateLimit", "RateLimit-Policy"] {
                assert!(response["headers"][name].is_object(), "{method} {path}: {status}, {name}");
            }
        }
    }
    let expected = [
        "create_signing_key",
        "import_image",
        "log_in",
        "purge_image",
        "purge_tag",
        "put_delivery_settings",
        "put_preset",
        "register",
        "transform_image",
        "upload_image",
    ];
    assert_eq!(limited.iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn it_is_whole() {
    let sandbox = Sandbox::start().await;
    let document = document(&sandbox).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = text(operation, "operationId");
        assert!(ids.insert(id.clone()), "two operations are called {id}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!text(response, "description").is_empty(), "{method} {path}: {status}");
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path: BTreeSet<_> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", text(parameter, "name")))
            .collect();
        let in_template: BTreeSet<_> =
            path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(in_path, in_template, "{method} {path}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) => references.push(reference.to_owned()),
                    None => collect(value, references),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn swagger_ui_needs_nothing_from_elsewhere() {
    let sandbox = Sandbox::start().await;
    let fetch = async |path: &str| {
        let answer = sandbox.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, answer.text().await.unwrap())
    };
    let (content_type, page) = fetch("/swagger/").await;
    assert!(content_type.starts_with("text/html"), "{content_type}");
    assert!(!page.contains("//"), "the page leads elsewhere: {page}");
    let assets: Vec<_> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap().trim_start_matches("./"))
        .collect();
    assert!(assets.len() >= 4, "{page}");
    for asset in assets {
        let (content_type, body) = fetch(&format!("/swagger/{asset}")).await;
        let expected = match asset.rsplit('.').next().unwrap() {
            "css" => "text/css",
            "js" => "text/javascript",
            "png" => "image/png",
            other => panic!("{asset}: what is {other}?"),
        };
        assert!(content_type.starts_with(expected), "{asset}: {content_type}");
        assert!(!body.is_empty(), "{asset}");
    }
    let (_, start) = fetch("/swagger/swagger-initializer.js").await;
    assert!(start.contains("\"/openapi.json\""), "{start}");
    let missing = sandbox.request(Method::GET, "/swagger/nothing.js").send().await;
    problem(missing, 404, "not_found").await;
}
