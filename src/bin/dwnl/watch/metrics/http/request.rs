//! What a client asks for.

use httparse::{Error, Header, Request, Status};

use super::response::Page;

/// Maximum length of a request in bytes, without a body.
pub const REQUEST_MAX: usize = 8 * 1024;
/// Maximum number of header fields in a request.
const HEADERS_MAX: usize = 64;

/// The answer that a request calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The page.
    pub page: Page,
    /// Whether the client wants the header alone (HEAD).
    pub is_head: bool,
}

/// The answer to what has arrived; `None` while the request is not complete.
pub fn answer(received: &[u8]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let page = match request.parse(received) {
        Ok(Status::Complete(_)) => page(&request),
        Ok(Status::Partial) if received.len() < REQUEST_MAX => return None,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => Page::TooLarge,
        Err(_) => Page::Malformed,
    };
    Some(Answer { page, is_head: request.method == Some("HEAD") })
}

fn page(request: &Request) -> Page {
    let is_host = |header: &Header| header.name.eq_ignore_ascii_case("Host");
    // RFC 9112, section 3.2.
    if request.version == Some(1) && !request.headers.iter().any(is_host) {
        return Page::Malformed;
    }
    match (request.method, path(request.path.unwrap_or_default())) {
        (Some("GET" | "HEAD"), "/metrics") => Page::Metrics,
        (Some("GET" | "HEAD"), "/") => Page::Index,
        (Some("GET" | "HEAD"), _) => Page::NotFound,
        _ => Page::WrongMethod,
    }
}

/// The path of a request target, which may be a whole URL (RFC 9112, section 3.2.2).
fn path(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page_of(text: &str) -> Option<Page> {
        answer(text.as_bytes()).map(|answer| answer.page)
    }

    #[test]
    fn requests_get_their_pages() {
        for (line, page) in [
            ("GET /metrics HTTP/1.1", Page::Metrics),
            ("GET /metrics?name%5B%5D=x HTTP/1.1", Page::Metrics),
            ("GET http://localhost:9/metrics HTTP/1.1", Page::Metrics),
            ("GET http://localhost HTTP/1.1", Page::Index),
            ("GET / HTTP/1.1", Page::Index),
            ("HEAD / HTTP/1.1", Page::Index),
            ("GET /metrics/ HTTP/1.1", Page::NotFound),
            ("GET metrics HTTP/1.1", Page::NotFound),
            ("POST /metrics HTTP/1.1", Page::WrongMethod),
            ("BREW /metrics HTTP/1.1", Page::WrongMethod),
            ("GET /metrics HTTP/2.0", Page::Malformed),
            ("GET /metrics", Page::Malformed),
            ("\u{0}", Page::Malformed),
        ] {
            assert_eq!(page_of(&format!("{line}\r\nhost: h\r\n\r\n")), Some(page), "{line}");
        }
    }

    #[test]
    fn only_http_1_0_needs_no_host() {
        assert_eq!(page_of("GET /metrics HTTP/1.0\r\n\r\n"), Some(Page::Metrics));
        assert_eq!(page_of("GET /metrics HTTP/1.1\r\n\r\n"), Some(Page::Malformed));
    }

    #[test]
    fn a_request_is_answered_once_it_is_complete() {
        let text = "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(answer(&text.as_bytes()[..end]), None, "{end}");
        }
        let complete = Answer { page: Page::Metrics, is_head: true };
        assert_eq!(answer(text.as_bytes()), Some(complete));
    }

    #[test]
    fn long_requests_are_rejected() {
        let start = "GET /metrics HTTP/1.1\r\nHost: h\r\n";
        let long = format!("{start}X: {}", "x".repeat(REQUEST_MAX));
        assert_eq!(page_of(&long), Some(Page::TooLarge));
        let many = format!("{start}{}\r\n", "X: x\r\n".repeat(HEADERS_MAX));
        assert_eq!(page_of(&many), Some(Page::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_waited_for(bytes: Vec<u8>, tail in "(\r\n){0,2}") {
            let mut bytes = bytes;
            bytes.extend_from_slice(tail.as_bytes());
            let _ = answer(&bytes);
            let mut request = b"GET /".to_vec();
            request.extend_from_slice(&bytes);
            let _ = answer(&request);
        }
    }
}
