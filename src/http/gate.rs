//! What gets in: paths and methods that the OpenAPI document names, and no others.
//!
//! 404 and 405 are settled here, path before method, so that a filter further in never has to guess
//! why it did not match. It also follows that nothing can be served that is not documented.

use matchit::Router;
use utoipa::openapi::{OpenApi, PathItem};
use warp::http::{HeaderValue, Method, header};

use super::{delivery, problem::raise};
use crate::domain::error::{Code, Error};

/// The paths and their methods.
pub struct Gate(Router<Methods>);

struct Methods {
    template: String,
    allowed: Vec<Method>,
}

impl Gate {
    /// The gate for what `document` names.
    ///
    /// # Errors
    /// When two paths can't be told apart.
    pub fn new(document: &OpenApi) -> Result<Self, matchit::InsertError> {
        let mut router = Router::new();
        for (template, item) in &document.paths.paths {
            let methods = Methods { template: template.clone(), allowed: allowed(item) };
            // What stands in it has slashes of its own, for which OpenAPI has no word.
            let path = template.replace(delivery::PATH, delivery::WHOLE_PATH);
            router.insert(path, methods)?;
        }
        Ok(Self(router))
    }

    /// The documented path that `path` is one of, if `method` is one of its methods; else the
    /// answer.
    pub fn admit(&self, method: &Method, path: &str) -> Result<&str, Box<warp::reply::Response>> {
        let Ok(found) = self.0.at(path) else {
            return Err(Box::new(raise(Error::new(
                Code::NotFound,
                "there is nothing at this path",
            ))));
        };
        let Methods { template, allowed } = found.value;
        if allowed.contains(method) {
            return Ok(template);
        }
        let list = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let detail = format!("this path takes {list}");
        let mut response = raise(Error::new(Code::MethodNotAllowed, detail));
        if let Ok(list) = HeaderValue::from_str(&list) {
            response.headers_mut().insert(header::ALLOW, list);
        }
        Err(Box::new(response))
    }
}

fn allowed(item: &PathItem) -> Vec<Method> {
    let mut allowed: Vec<Method> = [
        (&item.get, Method::GET),
        (&item.post, Method::POST),
        (&item.put, Method::PUT),
        (&item.patch, Method::PATCH),
        (&item.delete, Method::DELETE),
        (&item.options, Method::OPTIONS),
    ]
    .into_iter()
    .filter(|(operation, _)| operation.is_some())
    .map(|(_, method)| method)
    .collect();
    // Whatever can be got can be asked about.
    if allowed.contains(&Method::GET) {
        allowed.push(Method::HEAD);
    }
    allowed
}
