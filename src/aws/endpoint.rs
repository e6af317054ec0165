//! The endpoint and signing region of a service: partitions, variants (dual-stack, FIPS) and
//! overrides. Pure functions of the environment and the profile's settings.

use http::Uri;

use super::Service;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::transport::url::has_valid_port;

/// A partition of AWS. The isolated ones (`aws-iso…`) cannot be reached from the Internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Partition {
    /// `aws`, the commercial regions.
    #[default]
    Aws,
    /// `aws-cn`, China.
    China,
    /// `aws-us-gov`, `GovCloud`.
    Gov,
    /// `aws-eusc`, the European Sovereign Cloud.
    Eusc,
}

impl Partition {
    /// The name in ARNs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::Gov => "aws-us-gov",
            Self::Eusc => "aws-eusc",
        }
    }

    /// Parses the name in ARNs.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Aws, Self::China, Self::Gov, Self::Eusc].into_iter().find(|p| p.as_str() == name)
    }

    /// The partition of a region, from the start of its name. Unknown names belong to `aws`. The
    /// error is a phrase that follows the place where the region is set.
    pub fn of_region(region: &str) -> Result<Self, String> {
        let isolated = ["us-iso", "eu-iso"];
        if isolated.iter().any(|prefix| region.starts_with(prefix)) {
            return Err(
                "names a region of AWS's isolated partitions, which autodns cannot reach".into()
            );
        }
        Ok(match region.split('-').next() {
            Some("cn") => Self::China,
            Some("eusc") => Self::Eusc,
            _ if region.starts_with("us-gov-") => Self::Gov,
            _ => Self::Aws,
        })
    }

    /// The partition of a configuration without a topic: of `AWS_REGION` or `AWS_DEFAULT_REGION`,
    /// else of the profile's region, else `aws`. `profile_region` has the region and the place
    /// where it is set.
    pub fn default_of(
        environment: &Environment,
        profile_region: Option<(&str, String)>,
    ) -> Result<Self, SetupError> {
        if let Some((variable, region)) = environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
            return Self::of_region(region)
                .map_err(|problem| SetupError::variable(variable, &problem));
        }
        let Some((region, place)) = profile_region else { return Ok(Self::Aws) };
        Self::of_region(region).map_err(|problem| SetupError::new(format!("{place} {problem}")))
    }

    /// The signing region of Route 53, which has one endpoint per partition.
    const fn route53_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::China => "cn-northwest-1",
            Self::Gov => "us-gov-west-1",
            Self::Eusc => "eusc-de-east-1",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::Gov => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::Eusc => "amazonaws.eu",
        }
    }

    const fn dual_stack_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::Gov => "api.aws",
            Self::China => "api.amazonwebservices.com.cn",
            Self::Eusc => "api.amazonwebservices.eu",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host, and the port and path prefix of an override; without a final slash.
    pub base: String,
    /// The signing region.
    pub region: String,
}

/// What the environment and the profile say about endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The override that wins, if there is one.
    route53: Option<String>,
    /// The override that wins, if there is one.
    sns: Option<String>,
    dual_stack: bool,
    /// Whether `AWS_USE_DUALSTACK_ENDPOINT` is set, to any value.
    dual_stack_is_set: bool,
    fips: bool,
    /// The partition of a configuration without a topic.
    pub default_partition: Partition,
}

impl Settings {
    /// Reads `AWS_ENDPOINT_URL_…`, `AWS_ENDPOINT_URL`, `AWS_USE_DUALSTACK_ENDPOINT`,
    /// `AWS_USE_FIPS_ENDPOINT`, `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_REGION` and
    /// `AWS_DEFAULT_REGION`. `profile` returns the profile's `endpoint_url`, for a service id
    /// (`route_53`, `sns`) or without one in general. `profile_region` has the profile's region and
    /// the place where it is set.
    pub fn read(
        environment: &Environment,
        profile: impl Fn(Option<&str>) -> Option<String>,
        profile_region: Option<(&str, String)>,
    ) -> Result<Self, SetupError> {
        let mut settings = Self {
            dual_stack: environment.is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            dual_stack_is_set: environment.get("AWS_USE_DUALSTACK_ENDPOINT").is_some(),
            fips: environment.is_true("AWS_USE_FIPS_ENDPOINT"),
            ..Self::default()
        };
        if !environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            let find = |variable: &'static str, service| {
                if let Some((variable, url)) = environment.first(&[variable, "AWS_ENDPOINT_URL"]) {
                    return normalise(url)
                        .map(Some)
                        .ok_or_else(|| SetupError::variable(variable, NOT_AN_ENDPOINT));
                }
                match profile(Some(service)).or_else(|| profile(None)) {
                    Some(url) => normalise(&url).map(Some).ok_or_else(|| {
                        SetupError::variable("endpoint_url in the AWS profile", NOT_AN_ENDPOINT)
                    }),
                    None => Ok(None),
                }
            };
            settings.route53 = find("AWS_ENDPOINT_URL_ROUTE_53", "route_53")?;
            settings.sns = find("AWS_ENDPOINT_URL_SNS", "sns")?;
        }
        settings.default_partition = Partition::default_of(environment, profile_region)?;
        Ok(settings)
    }

    /// The settings for a machine with IPv6 only and no proxy. The default hosts of AWS have no
    /// IPv6 address, so it uses the dual-stack hosts, unless `AWS_USE_DUALSTACK_ENDPOINT` is set.
    /// The second value is whether a host changes.
    pub fn for_ipv6_only(self) -> (Self, bool) {
        if self.dual_stack_is_set {
            return (self, false);
        }
        let changes = self.route53.is_none() || self.sns.is_none();
        (Self { dual_stack: true, ..self }, changes)
    }

    pub fn endpoint(&self, service: &Service, partition: Partition) -> Endpoint {
        let (region, override_url) = match service {
            Service::Route53 => (partition.route53_region(), &self.route53),
            Service::Sns { region } => (region.as_str(), &self.sns),
        };
        let base = match override_url {
            Some(url) => url.clone(),
            None => format!("https://{}", self.host(service, partition)),
        };
        Endpoint { base, region: region.into() }
    }

    /// Source: the endpoint rule sets of AWS, 2026.
    fn host(&self, service: &Service, partition: Partition) -> String {
        use Partition::{Aws, Gov};
        let suffix =
            if self.dual_stack { partition.dual_stack_suffix() } else { partition.suffix() };
        match (service, partition, self.dual_stack, self.fips) {
            // The default endpoints of GovCloud are FIPS endpoints.
            (Service::Route53, Gov, ..) => format!("route53.us-gov.{suffix}"),
            (Service::Sns { region }, Gov, false, true) => format!("sns.{region}.{suffix}"),
            (Service::Route53, Aws, true, true) => format!("route53-fips.global.{suffix}"),
            (Service::Route53, _, _, true) => format!("route53-fips.{suffix}"),
            (Service::Route53, _, true, false) => format!("route53.global.{suffix}"),
            (Service::Route53, _, false, false) => format!("route53.{suffix}"),
            (Service::Sns { region }, _, _, true) => format!("sns-fips.{region}.{suffix}"),
            (Service::Sns { region }, ..) => format!("sns.{region}.{suffix}"),
        }
    }
}

const NOT_AN_ENDPOINT: &str =
    "is not the URL of an endpoint, as in https://route53.amazonaws.com or http://127.0.0.1:5000";

/// An override without its final slash, or `None` if it is not the URL of an endpoint.
fn normalise(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let http = matches!(uri.scheme_str(), Some("http" | "https")) && has_valid_port(&uri);
    // Any `@` may follow a password: a password with a slash extends into the path.
    let plain = !url.contains(['#', '@']) && uri.query().is_none();
    (http && plain && !uri.host()?.is_empty()).then(|| url.trim_end_matches('/').into())
}

#[cfg(test)]
mod tests {
    use super::Partition::{Aws, China, Eusc, Gov};
    use super::*;

    fn settings<const N: usize>(variables: [(&str, &str); N]) -> Settings {
        Settings::read(&Environment::from(variables), |_| None, None).unwrap()
    }

    fn sns(region: &str) -> Service {
        Service::Sns { region: region.into() }
    }

    #[test]
    fn each_partition_and_variant_has_its_hosts() {
        let plain = settings([]);
        let dual = settings([("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
        let fips = settings([("AWS_USE_FIPS_ENDPOINT", "true")]);
        let both =
            settings([("AWS_USE_FIPS_ENDPOINT", "TRUE"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
        let r53 = || Service::Route53;
        for (settings, service, partition, host, region) in [
            (&plain, r53(), Aws, "route53.amazonaws.com", "us-east-1"),
            (&plain, r53(), China, "route53.amazonaws.com.cn", "cn-northwest-1"),
            (&plain, r53(), Gov, "route53.us-gov.amazonaws.com", "us-gov-west-1"),
            (&plain, r53(), Eusc, "route53.amazonaws.eu", "eusc-de-east-1"),
            (&dual, r53(), Aws, "route53.global.api.aws", "us-east-1"),
            (&dual, r53(), China, "route53.global.api.amazonwebservices.com.cn", "cn-northwest-1"),
            (&dual, r53(), Gov, "route53.us-gov.api.aws", "us-gov-west-1"),
            (&dual, r53(), Eusc, "route53.global.api.amazonwebservices.eu", "eusc-de-east-1"),
            (&fips, r53(), Aws, "route53-fips.amazonaws.com", "us-east-1"),
            (&both, r53(), Aws, "route53-fips.global.api.aws", "us-east-1"),
            (&fips, r53(), Gov, "route53.us-gov.amazonaws.com", "us-gov-west-1"),
            (&plain, sns("eu-west-1"), Aws, "sns.eu-west-1.amazonaws.com", "eu-west-1"),
            (&plain, sns("cn-north-1"), China, "sns.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (
                &plain,
                sns("eusc-de-east-1"),
                Eusc,
                "sns.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
            ),
            (&fips, sns("us-east-1"), Aws, "sns-fips.us-east-1.amazonaws.com", "us-east-1"),
            (&fips, sns("us-gov-west-1"), Gov, "sns.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            (&dual, sns("us-gov-west-1"), Gov, "sns.us-gov-west-1.api.aws", "us-gov-west-1"),
            (&both, sns("us-east-1"), Aws, "sns-fips.us-east-1.api.aws", "us-east-1"),
        ] {
            let expected = Endpoint { base: format!("https://{host}"), region: region.into() };
            assert_eq!(settings.endpoint(&service, partition), expected);
        }
    }

    #[test]
    fn ipv6_only_uses_dual_stack_hosts_unless_set() {
        let set = |value| settings([("AWS_USE_DUALSTACK_ENDPOINT", value)]);
        let url = "http://127.0.0.1:1";
        for (before, host, changes) in [
            (settings([]), "https://route53.global.api.aws", true),
            (set("true"), "https://route53.global.api.aws", false),
            (set("false"), "https://route53.amazonaws.com", false),
            (settings([("AWS_ENDPOINT_URL", url)]), url, false),
            (settings([("AWS_ENDPOINT_URL_ROUTE_53", url)]), url, true),
        ] {
            let (settings, changed) = before.for_ipv6_only();
            assert_eq!(settings.endpoint(&Service::Route53, Aws).base, host);
            assert_eq!(changed, changes, "{host}");
        }
    }

    #[test]
    fn first_override_wins() {
        let profile = |service: Option<&str>| match service {
            Some("route_53") => Some("http://profile-route53".into()),
            Some(_) => None,
            None => Some("http://profile".into()),
        };
        let all = [
            ("AWS_ENDPOINT_URL_ROUTE_53", "http://127.0.0.1:1/prefix/"),
            ("AWS_ENDPOINT_URL", "https://all.example"),
        ];
        for (variables, route53, sns_base) in [
            (&all[..], "http://127.0.0.1:1/prefix", "https://all.example"),
            (&all[1..], "https://all.example", "https://all.example"),
            (&[], "http://profile-route53", "http://profile"),
            (
                &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), all[0], all[1]],
                "https://route53.amazonaws.com",
                "https://sns.eu-west-1.amazonaws.com",
            ),
            (
                &[("AWS_ENDPOINT_URL_ROUTE_53", ""), all[1]],
                "https://all.example",
                "https://all.example",
            ),
        ] {
            let environment =
                variables.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Environment>();
            let settings = Settings::read(&environment, profile, None).unwrap();
            let base = |service| settings.endpoint(&service, Partition::Aws).base;
            assert_eq!(base(Service::Route53), route53);
            assert_eq!(base(sns("eu-west-1")), sns_base);
        }
    }

    #[test]
    fn override_keeps_the_signing_region() {
        let settings = settings([("AWS_ENDPOINT_URL", "http://127.0.0.1:5000/")]);
        let endpoint = settings.endpoint(&Service::Route53, Partition::China);
        assert_eq!(endpoint.base, "http://127.0.0.1:5000");
        assert_eq!(endpoint.region, "cn-northwest-1");
    }

    #[test]
    fn bad_override_or_region_is_named() {
        for (variable, value) in [
            ("AWS_ENDPOINT_URL", "127.0.0.1:5000"),
            ("AWS_ENDPOINT_URL_SNS", "ftp://a"),
            ("AWS_ENDPOINT_URL_ROUTE_53", "http://a/?b"),
            ("AWS_ENDPOINT_URL", "http://a/#b"),
            ("AWS_ENDPOINT_URL", "http://user:hush@a"),
            ("AWS_ENDPOINT_URL", "http://user:8080/hush@a"),
            ("AWS_REGION", "us-iso-east-1"),
        ] {
            let error = Settings::read(&Environment::from([(variable, value)]), |_| None, None);
            let message = error.unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("{variable} ")) && !message.contains("hush"),
                "{message}"
            );
        }
    }

    #[test]
    fn default_partition_follows_the_region() {
        for (region, partition) in [
            ("eu-west-1", Partition::Aws),
            ("cn-north-1", Partition::China),
            ("us-gov-east-1", Partition::Gov),
            ("eusc-de-east-1", Partition::Eusc),
        ] {
            let settings = settings([("AWS_DEFAULT_REGION", region)]);
            assert_eq!(settings.default_partition, partition);
        }
        assert_eq!(settings([]).default_partition, Partition::Aws);
    }
}
