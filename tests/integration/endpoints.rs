//! The endpoints of AWS: overrides, partitions, CA bundles, proxies. A proxy maps the real host
//! names to the fake AWS, which has a certificate for each.

use serde_json::json;

use crate::support::ca::{self, Certificate};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{FakeAws, TOPIC};
use crate::support::fake_reflector::FakeReflector;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};
use crate::support::proxy::{Proxy, USER_PASSWORD};
use crate::support::server::{Listen, Protocol, Refusing, Server};
use crate::support::{assert_text, clock, expected};

/// A fixture that reaches AWS by its real names, through a proxy to the fake AWS.
pub fn by_proxy() -> (Fixture, Proxy) {
    let mut fixture = Fixture::new();
    let proxy = Proxy::start(&[("*", fixture.aws.server().port())]);
    fixture.sandbox.unset("AWS_ENDPOINT_URL");
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    (fixture, proxy)
}

#[test]
fn each_partition_has_its_hosts_and_signing_regions() {
    let table = [
        ("aws", "eu-west-1", "us-east-1", "route53.amazonaws.com", "sns.eu-west-1.amazonaws.com"),
        (
            "aws-cn",
            "cn-north-1",
            "cn-northwest-1",
            "route53.amazonaws.com.cn",
            "sns.cn-north-1.amazonaws.com.cn",
        ),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "us-gov-west-1",
            "route53.us-gov.amazonaws.com",
            "sns.us-gov-west-1.amazonaws.com",
        ),
        (
            "aws-eusc",
            "eusc-de-east-1",
            "eusc-de-east-1",
            "route53.amazonaws.eu",
            "sns.eusc-de-east-1.amazonaws.eu",
        ),
    ];
    for (partition, region, signing, route53, sns) in table {
        let (mut fixture, proxy) = by_proxy();
        let topic = format!("arn:{partition}:sns:{region}:123456789012:dyndns-status");
        {
            let mut state = fixture.aws.state();
            state.sns.topics.insert(topic.clone(), Vec::new());
            state.route53_region = signing.into();
        }
        fixture.configure(|config| config["topic_arn"] = json!(topic));
        fixture.run().assert_silent();
        assert_eq!(proxy.request_lines(), [format!("CONNECT {route53}:443")], "{partition}");
        fixture.reflector.fails(Family::V4);
        assert_eq!(fixture.run().status.code(), Some(1));
        assert_eq!(fixture.aws.operations(), [List, Change, List, Publish], "{partition}");
        assert_eq!(proxy.request_lines()[2], format!("CONNECT {sns}:443"), "{partition}");
        assert_eq!(fixture.aws.state().sns.topics[&topic].len(), 1);
        let names: Vec<_> =
            fixture.aws.server().requests().iter().map(|r| r.server_name.clone()).collect();
        assert_eq!(names[0].as_deref(), Some(route53));
    }
}

#[test]
fn partition_comes_from_region_when_there_is_no_topic() {
    let table = [
        (None, None, "us-east-1", "route53.amazonaws.com"),
        (Some("eu-west-1"), None, "us-east-1", "route53.amazonaws.com"),
        (Some("cn-north-1"), Some("us-gov-west-1"), "cn-northwest-1", "route53.amazonaws.com.cn"),
        (None, Some("us-gov-east-1"), "us-gov-west-1", "route53.us-gov.amazonaws.com"),
        (None, Some("eusc-de-east-1"), "eusc-de-east-1", "route53.amazonaws.eu"),
    ];
    for (region, default_region, signing, host) in table {
        let (mut fixture, proxy) = by_proxy();
        fixture.remove_from_config("topic_arn");
        fixture.aws.state().route53_region = signing.into();
        for (name, value) in [("AWS_REGION", region), ("AWS_DEFAULT_REGION", default_region)] {
            if let Some(value) = value {
                fixture.sandbox.set(name, value);
            }
        }
        fixture.run().assert_silent();
        assert_eq!(proxy.request_lines(), [format!("CONNECT {host}:443")]);
    }
}

#[test]
fn partition_of_topic_wins_over_region_of_environment() {
    let (mut fixture, proxy) = by_proxy();
    fixture.sandbox.set("AWS_REGION", "cn-north-1");
    fixture.run().assert_silent();
    assert_eq!(proxy.request_lines(), ["CONNECT route53.amazonaws.com:443"]);
}

#[test]
fn dual_stack_and_fips_endpoints_have_their_own_hosts() {
    let table = [
        ("true", "", "route53.global.api.aws", "sns.eu-west-1.api.aws"),
        ("", "true", "route53-fips.amazonaws.com", "sns-fips.eu-west-1.amazonaws.com"),
    ];
    for (dual, fips, route53, sns) in table {
        let (mut fixture, proxy) = by_proxy();
        fixture.sandbox.set("AWS_USE_DUALSTACK_ENDPOINT", dual);
        fixture.sandbox.set("AWS_USE_FIPS_ENDPOINT", fips);
        fixture.reflector.fails(Family::V4);
        assert_eq!(fixture.run().status.code(), Some(1));
        let asked = [format!("CONNECT {route53}:443"), format!("CONNECT {sns}:443")];
        assert_eq!(proxy.request_lines(), asked);
        assert_eq!(fixture.aws.operations(), [List, Publish]);
    }
}

#[test]
fn endpoint_overrides_are_read_in_order() {
    let wrong = Refusing::new();
    let wrong = format!("https://127.0.0.1:{}", wrong.port());
    let everything = [
        ("AWS_ENDPOINT_URL_ROUTE_53", 0),
        ("AWS_ENDPOINT_URL_SNS", 0),
        ("AWS_ENDPOINT_URL", 1),
        ("services", 2),
        ("endpoint_url", 3),
    ];
    for best in 0..4 {
        let mut fixture = Fixture::new();
        fixture.sandbox.unset("AWS_ENDPOINT_URL");
        let good = fixture.aws.url();
        let mut config = String::from("[default]\n");
        let mut services = String::new();
        for (name, rank) in everything {
            let url = match rank {
                rank if rank < best => "",
                rank if rank == best => good.as_str(),
                _ => wrong.as_str(),
            };
            match name {
                "services" if rank >= best => {
                    config += "services = mine\n";
                    services = format!(
                        "[services mine]\nroute_53 =\n  endpoint_url = {url}\nsns =\n  \
                         endpoint_url = {url}\n"
                    );
                }
                "endpoint_url" if rank >= best => config += &format!("endpoint_url = {url}\n"),
                "services" | "endpoint_url" => {}
                _ => fixture.sandbox.set(name, url),
            }
        }
        fixture.sandbox.write(".aws/config", config + &services);
        fixture.reflector.fails(Family::V4);
        fixture.run();
        assert_eq!(fixture.aws.operations(), [List, Publish], "override {best}");
    }
}

#[test]
fn endpoint_overrides_can_be_ignored() {
    let (mut fixture, proxy) = by_proxy();
    fixture.sandbox.set("AWS_ENDPOINT_URL", "https://127.0.0.1:1");
    fixture.sandbox.set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    fixture.run().assert_silent();
    assert_eq!(proxy.request_lines(), ["CONNECT route53.amazonaws.com:443"]);
}

#[test]
fn endpoint_override_with_plain_http_is_used() {
    let aws = FakeAws::start_as(Listen::V4, Protocol::Plain);
    let fixture = Fixture::with(aws, FakeReflector::start());
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!(fixture.aws.server().connections(), 1);
}

#[test]
fn endpoint_override_with_ipv6_address_is_used() {
    let aws = FakeAws::start_as(Listen::V6, Protocol::Tls(Certificate::Good));
    let mut fixture = Fixture::with(aws, FakeReflector::start());
    let url = fixture.aws.server().url("[::1]");
    fixture.sandbox.set("AWS_ENDPOINT_URL", url);
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn ssl_cert_file_is_trusted_without_aws_ca_bundle() {
    let mut fixture = Fixture::new();
    let good = fixture.sandbox.write("good.pem", ca::pem());
    let other = fixture.sandbox.write("other.pem", ca::untrusted_pem());
    fixture.sandbox.set("SSL_CERT_FILE", other.clone());
    fixture.run().assert_silent();
    fixture.sandbox.set("AWS_CA_BUNDLE", "");
    fixture.sandbox.set("SSL_CERT_FILE", good);
    fixture.run().assert_silent();
    fixture.sandbox.set("AWS_CA_BUNDLE", other);
    fixture.run().assert(1, "", &expected::nothing_trusted("autodns test CA"));
}

#[test]
fn built_in_roots_do_not_trust_the_test_ca() {
    let mut fixture = Fixture::new();
    fixture.sandbox.unset("AWS_CA_BUNDLE");
    fixture.run().assert(1, "", &expected::nothing_trusted("autodns test CA")).assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), []);
    assert_eq!(fixture.reflector.request_lines(), Vec::<String>::new());
}

#[test]
fn untrusted_aws_is_reported_and_gets_no_request() {
    let mut seen = String::new();
    for certificate in [
        Certificate::Untrusted,
        Certificate::WrongName,
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::WrongKey,
        Certificate::WrongKeyTls12,
    ] {
        let aws = FakeAws::start_as(Listen::V4, Protocol::Tls(certificate));
        let fixture = Fixture::with(aws, FakeReflector::start());
        let run = fixture.run();
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{run:?}");
        run.assert_wrote(&[]);
        seen += &format!("{certificate:?}: {}", clock::with_placeholders(&run.stderr));
        assert_eq!(fixture.aws.server().requests().len(), 0);
        assert_eq!(fixture.aws.server().handshakes(), 0);
        assert!(fixture.aws.server().failed_handshakes() > 0);
    }
    assert_text(
        &seen,
        "Untrusted: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: the server's certificate is not trusted: it is issued by \"autodns other \
         CA\", which is not a trusted root; check who answers there, or add a CA of your own \
         to the file that AWS_CA_BUNDLE names\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the \
         server's certificate is not trusted: it is issued by \"autodns other CA\", which is not a \
         trusted root; check who answers there, or add a CA of your own to the file that \
         AWS_CA_BUNDLE names\n\
         WrongName: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: the server's certificate is for \"elsewhere.example.org\", not for \
         \"127.0.0.1\"; check the name in the URL, and who answers there\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the \
         server's certificate is for \"elsewhere.example.org\", not for \"127.0.0.1\"; check \
         the name in the URL, and who answers there\n\
         Expired: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: the server's certificate expired on {time}, and this machine's clock \
         says {time}; check this machine's clock, then the certificate\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the \
         server's certificate expired on {time}, and this machine's clock says {time}; check \
         this machine's clock, then the certificate\n\
         NotYetValid: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: this machine's clock is likely wrong: it says {time}, and the server's \
         certificate is not valid before {time}; set the clock (timedatectl shows it)\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: this \
         machine's clock is likely wrong: it says {time}, and the server's certificate is not \
         valid before {time}; set the clock (timedatectl shows it)\n\
         WrongKey: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: the server does not have the key of the certificate that it shows; \
         check who answers there\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the \
         server does not have the key of the certificate that it shows; check who answers there\n\
         WrongKeyTls12: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: {aws}: the server does not have the key of the certificate that it shows; \
         check who answers there\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the \
         server does not have the key of the certificate that it shows; check who answers there\n",
    );
}

#[test]
fn server_with_tls_1_2_only_is_accepted() {
    let old = || Protocol::Tls(Certificate::GoodTls12);
    let fixture = Fixture::with(
        FakeAws::start_as(Listen::V4, old()),
        FakeReflector::start_as(Listen::Both, old()),
    );
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn unreachable_aws_is_reported_with_the_cause() {
    let refusing = Refusing::new();
    let mut seen = String::new();
    for url in [
        format!("https://127.0.0.1:{}", refusing.port()),
        "https://route53.nowhere.example".to_owned(),
    ] {
        let mut fixture = Fixture::new();
        fixture.sandbox.placeholder(&format!("127.0.0.1:{}", refusing.port()), "{refusing}");
        fixture.sandbox.set("AWS_ENDPOINT_URL", url);
        let run = fixture.run();
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{run:?}");
        run.assert_wrote(&[]);
        seen += &run.stderr;
    }
    assert_text(
        &seen,
        "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         {refusing}: connection refused; check the address and the port, and that the server \
         runs\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {refusing}: \
         connection refused; check the address and the port, and that the server runs\n\
         autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         route53.nowhere.example: no name server answered for the host's name; check the \
         router, and the name servers in /etc/resolv.conf\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         route53.nowhere.example: no name server answered for the host's name; check the \
         router, and the name servers in /etc/resolv.conf\n",
    );
}

#[test]
fn proxy_is_used_for_aws_and_never_for_reflectors() {
    let mut fixture = Fixture::with_both_families();
    let proxy = Proxy::with_password(&[("*", fixture.aws.server().port())]);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    {
        fixture.sandbox.set(name, proxy.url_with(USER_PASSWORD));
    }
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!(
        proxy.request_lines(),
        [format!("CONNECT 127.0.0.1:{}", fixture.aws.server().port())]
    );
    assert_eq!(fixture.reflector.request_lines().len(), 2);
    // The redirects of a reflector do not go through the proxy either.
    let base = fixture.reflector.server().url("reflect2.example.net");
    fixture.reflector.once(Family::V4, Response::redirect(302, &format!("{base}/x")));
    fixture.reflector.once(Family::V6, Response::redirect(302, &format!("{base}/x")));
    fixture.run().assert_silent();
    assert_eq!(proxy.request_lines().len(), 2);
}

#[test]
fn override_of_one_service_does_not_affect_the_other() {
    let mut fixture = Fixture::new();
    let nobody = Server::start(Listen::V4, Protocol::Tls(Certificate::Good), |_| {
        Response::text("not AWS").into()
    });
    fixture.sandbox.set("AWS_ENDPOINT_URL", nobody.url("127.0.0.1"));
    fixture.sandbox.set("AWS_ENDPOINT_URL_SNS", fixture.aws.url());
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert_eq!(fixture.aws.operations(), [Publish]);
    assert_eq!(fixture.aws.published()[0].topic, TOPIC);
    assert!(nobody.requests().iter().all(|request| request.path().contains("/hostedzone/")));
}
