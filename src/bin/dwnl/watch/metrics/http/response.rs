//! The answers, as bytes.

use std::rc::Rc;

/// The media type of the text-based exposition format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The media type of everything else.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// What an answer contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The metrics.
    Metrics,
    /// Where the metrics are.
    Index,
    /// There is no such page.
    NotFound,
    /// The method is neither GET nor HEAD.
    WrongMethod,
    /// The request is not HTTP/1.0 or HTTP/1.1.
    Malformed,
    /// The request did not arrive in time.
    TooSlow,
    /// The request is too long.
    TooLarge,
}

/// A whole answer. Clients that wait for the same page share it.
#[derive(Clone, Debug)]
pub struct Response {
    bytes: Rc<[u8]>,
    head_length: usize,
}

impl Response {
    /// The metrics in the text-based exposition format.
    pub fn metrics(text: &str) -> Response {
        Response::new("200 OK", METRICS_TYPE, "", text)
    }

    /// A page that does not depend on the metrics; `None` for [`Page::Metrics`].
    pub fn fixed(page: Page) -> Option<Response> {
        let (status, headers, body) = match page {
            Page::Metrics => return None,
            Page::Index => ("200 OK", "", "dwnl: the metrics are at /metrics\n"),
            Page::NotFound => ("404 Not Found", "", "not found: the metrics are at /metrics\n"),
            Page::WrongMethod => {
                ("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "use GET or HEAD\n")
            }
            Page::Malformed => ("400 Bad Request", "", "not a valid HTTP/1.1 request\n"),
            Page::TooSlow => ("408 Request Timeout", "", "the request took too long\n"),
            Page::TooLarge => {
                ("431 Request Header Fields Too Large", "", "the request is too long\n")
            }
        };
        Some(Response::new(status, TEXT_TYPE, headers, body))
    }

    /// The bytes to send, to a HEAD request without the body.
    pub fn bytes(&self, is_head: bool) -> &[u8] {
        if is_head { &self.bytes[..self.head_length] } else { &self.bytes }
    }

    fn new(status: &str, media_type: &str, headers: &str, body: &str) -> Response {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
             {headers}Connection: close\r\n\r\n",
            body.len()
        );
        let bytes = [head.as_bytes(), body.as_bytes()].concat();
        Response { bytes: bytes.into(), head_length: head.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_request_gets_the_same_header() {
        let response = Response::metrics("dwnl_checks_total 1\n");
        let whole = String::from_utf8(response.bytes(false).to_vec()).expect("text");
        let (head, body) = whole.split_once("\r\n\r\n").expect("a header");
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: 20\r\nConnection: close"
        );
        assert_eq!(body, "dwnl_checks_total 1\n");
        assert_eq!(response.bytes(true), format!("{head}\r\n\r\n").as_bytes());
    }

    #[test]
    fn a_wrong_method_gets_those_that_are_allowed() {
        let response = Response::fixed(Page::WrongMethod).expect("a page");
        let text = String::from_utf8(response.bytes(true).to_vec()).expect("text");
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("\r\nAllow: GET, HEAD\r\n"));
    }
}
