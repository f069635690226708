//! Who may speak to the service: no page of another site, and nobody who calls it by a name that is not its own.
//!
//! A page of another site can make a browser send requests here. It cannot hide where they come from: the browser says so
//! in `Origin` and `Sec-Fetch-Site`. A name of another site that suddenly leads here (DNS rebinding) makes its page one of
//! the same origin; it is told by `Host`, which has the other name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::connections::Peer;
use super::problem::Problem;

/// The names by which the service may be called.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Arc<[Authority]>);

impl Hosts {
    /// Reads names, each with a port or without. The one that is no name is the error.
    pub(super) fn named(names: &[String]) -> Result<Self, String> {
        let read = |name: &String| name.parse().ok().filter(is_plain).ok_or_else(|| name.clone());
        Ok(Self(names.iter().map(read).collect::<Result<_, _>>()?))
    }

    fn allow(&self, host: &Authority, local: Option<IpAddr>) -> bool {
        let name = host.host();
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        // No other site can take this name: it is the address that the client has connected to.
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if address.is_some() && address == local.map(|local| local.to_canonical()) {
            return true;
        }
        self.0.iter().any(|allowed| {
            let port = allowed.port_u16().is_none_or(|port| host.port_u16() == Some(port));
            port && allowed.host().eq_ignore_ascii_case(name)
        })
    }
}

/// Lets a request pass, or tells its sender that it is not wanted.
pub(super) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match verdict(&hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn verdict(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    let host = host(request)?;
    let local = request.extensions().get::<Peer>().map(|peer| peer.local.ip());
    if !hosts.allow(&host, local) {
        let detail = format!(
            "this service is not called {:?}; `coins serve --allow-host` adds a name",
            host.as_str()
        );
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_host",
            "The service is not called that",
            detail,
        ));
    }
    let headers = request.headers();
    let foreign = || {
        let detail = "pages of other sites may not use this service";
        Problem::new(StatusCode::FORBIDDEN, "foreign_origin", "The request comes from another site", detail)
    };
    if headers.get_all(ORIGIN).iter().any(|origin| !is_of(origin.as_bytes(), &host)) {
        return Err(foreign());
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match reads || is_of_own_page(headers) {
        true => Ok(()),
        false => Err(foreign()),
    }
}

/// By which name the service was called: the one in the request's target, if it has one, and in `Host`.
fn host(request: &Request) -> Result<Authority, Problem> {
    let mut named = request.headers().get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    };
    let host = host.filter(is_plain);
    let host =
        host.ok_or_else(|| Problem::bad_request("invalid_host", "wanted is one Host header with a name"))?;
    match request.uri().authority() {
        Some(target) if *target != host => {
            Err(Problem::bad_request("invalid_host", "Host is not the host of the request's target"))
        }
        _ => Ok(host),
    }
}

/// Whether it is a host and perhaps the number of a port, and nothing else, such as a user.
fn is_plain(host: &Authority) -> bool {
    let rest = host.as_str().strip_prefix(host.host());
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    rest.is_some_and(|rest| rest.is_empty() || is_port(rest))
}

/// Whether an origin, such as `http://localhost:3000`, is the host. The scheme may be that of a proxy in between.
fn is_of(origin: &[u8], host: &Authority) -> bool {
    let of = |scheme: &[u8]| origin.strip_prefix(scheme).and_then(|rest| Authority::try_from(rest).ok());
    of(b"http://").or_else(|| of(b"https://")).is_some_and(|origin| origin == *host)
}

/// Whether the browser, if it is one that says so, says that the request comes from a page of this service.
fn is_of_own_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.all(|site| site == "same-origin" || site == "none")
}
