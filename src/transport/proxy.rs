//! The proxy on the way to AWS, from `HTTPS_PROXY` and `NO_PROXY`. Its password is never quoted.

use ureq::Proxy;

use crate::environment::Environment;
use crate::error::Error;
use crate::url::has_possible_port;

/// The proxy of `HTTPS_PROXY` (or `https_proxy`), without the hosts of `NO_PROXY`.
pub fn read_proxy(environment: &Environment) -> Result<Option<Proxy>, Error> {
    let set = ["HTTPS_PROXY", "https_proxy"]
        .into_iter()
        .find_map(|variable| environment.get(variable).map(|url| (variable, url)));
    let Some((variable, url)) = set else { return Ok(None) };
    // The value may hold a password, and so may the library's error: neither is quoted.
    let wrong = || Error::Environment {
        variable,
        problem: "is not the URL of an HTTP proxy, as in http://proxy.example:3128".into(),
        source: None,
    };
    let parsed = Proxy::new(url).map_err(|_| wrong())?;
    let http = matches!(parsed.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https);
    // A / in a password that is not percent-encoded would make the user name the host.
    if !http || !has_possible_port(parsed.uri()) || !matches!(parsed.uri().path(), "" | "/") {
        return Err(wrong());
    }
    let mut proxy = Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(username) = parsed.username() {
        proxy = proxy.username(username);
    }
    if let Some(password) = parsed.password() {
        proxy = proxy.password(password);
    }
    let exceptions = environment.get("NO_PROXY").or_else(|| environment.get("no_proxy"));
    for entry in exceptions.unwrap_or_default().split(',') {
        let host = entry.trim().trim_start_matches('.');
        if !host.is_empty() {
            // As curl and Python have it, a name stands for itself and for all names below it.
            proxy = proxy.no_proxy(host).no_proxy(&format!(".{host}"));
        }
    }
    proxy.build().map(Some).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)]) -> Result<Option<Proxy>, String> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        read_proxy(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn no_proxy_stands_for_a_name_and_all_below() {
        let proxy = proxy(&[
            ("HTTPS_PROXY", "http://user:p%40ss@proxy.example:3128"),
            ("NO_PROXY", "amazonaws.com, .internal.example,127.0.0.1"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
        assert_eq!(proxy.password(), Some("p@ss"));
        for (url, direct) in [
            ("https://route53.amazonaws.com/", true),
            ("https://amazonaws.com/", true),
            ("https://notamazonaws.com/", false),
            ("https://a.internal.example/", true),
            ("https://127.0.0.1:8443/", true),
            ("https://sns.eu-west-1.amazonaws.com.cn/", false),
        ] {
            assert_eq!(proxy.is_no_proxy(&url.parse().unwrap()), direct, "{url}");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_value() {
        for url in [
            "socks5://user:hush@proxy.example",
            "http://user:hush@[",
            "ftp://hush",
            "http://user:hu/sh@proxy.example:3128",
            "http://user:hush@proxy.example:99999",
        ] {
            assert_eq!(
                proxy(&[("https_proxy", url)]).unwrap_err(),
                "https_proxy is not the URL of an HTTP proxy, as in http://proxy.example:3128"
            );
        }
        assert!(proxy(&[("HTTPS_PROXY", ""), ("NO_PROXY", "*")]).unwrap().is_none());
    }
}
