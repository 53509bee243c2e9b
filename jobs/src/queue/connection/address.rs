//! Reads the address of Redis: one server, the nodes of a cluster, or the sentinels that know who is master.
//! Its error messages never repeat the address: it may hold passwords.

use std::fmt::Write as _;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use super::tls;

/// Where sentinels listen by default.
const SENTINEL_PORT: u16 = 26379;

pub(super) enum Address {
    One(ConnectionInfo),
    /// Some nodes of a cluster; they know the others.
    Cluster(Vec<ConnectionInfo>),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        /// The name under which the sentinels know the master.
        master: String,
        /// How to log in to it, and its database.
        login: RedisConnectionInfo,
    },
}

impl Address {
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        match url.split_once("://") {
            Some(("redis-cluster", rest)) => cluster(PLAIN, &Parts::of(rest)?),
            Some(("rediss-cluster", rest)) => cluster(TLS, &Parts::of(rest)?),
            Some(("redis-sentinel", rest)) => sentinel(PLAIN, &Parts::of(rest)?),
            Some(("rediss-sentinel", rest)) => sentinel(TLS, &Parts::of(rest)?),
            Some((_, rest)) if rest.contains('#') => Err(HAS_FRAGMENT.to_owned()),
            Some(_) | None => info(url).map(Self::One),
        }
    }

    /// The same with TLS connections made like this one. Plain ones stay as they are.
    pub(super) fn with_tls(self, like: &ConnectionAddr) -> Self {
        let with = |info: ConnectionInfo| match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => {
                let addr = tls::at(like, host, *port);
                info.set_addr(addr)
            }
            ConnectionAddr::Tcp(_, _) | ConnectionAddr::Unix(_) | _ => info,
        };
        match self {
            Self::One(info) => Self::One(with(info)),
            Self::Cluster(nodes) => Self::Cluster(nodes.into_iter().map(with).collect()),
            Self::Sentinel {
                sentinels,
                master,
                login,
            } => Self::Sentinel {
                sentinels: sentinels.into_iter().map(with).collect(),
                master,
                login,
            },
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        let infos = match self {
            Self::One(info) => std::slice::from_ref(info),
            Self::Cluster(infos) | Self::Sentinel { sentinels: infos, .. } => infos,
        };
        infos
            .iter()
            .any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }))
    }
}

/// The schemes of single servers.
const PLAIN: &str = "redis";
const TLS: &str = "rediss";
const HAS_FRAGMENT: &str = "it must not have a part behind #";

/// `[user:password@]host[:port][,host[:port]...][/path][?options]`. Passwords are percent-encoded, so that the
/// separators separate.
struct Parts<'a> {
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        if text.contains('#') {
            return Err(HAS_FRAGMENT.to_owned());
        }
        let (text, options) = text.split_once('?').unwrap_or((text, ""));
        let (login, text) = text.rsplit_once('@').unwrap_or(("", text));
        let (hosts, path) = text.split_once('/').unwrap_or((text, ""));
        let hosts: Vec<&str> = hosts.split(',').map(str::trim).collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err("a host is missing".to_owned());
        }
        let options = options.split('&').filter(|option| !option.is_empty());
        Ok(Self {
            login,
            hosts,
            path,
            options: options
                .map(|option| option.split_once('=').unwrap_or((option, "")))
                .collect(),
        })
    }
}

fn cluster(scheme: &str, parts: &Parts<'_>) -> Result<Address, String> {
    if !matches!(parts.path, "" | "0") {
        return Err("a cluster has no numbered databases".to_owned());
    }
    if !parts.options.is_empty() {
        return Err("a cluster has no options".to_owned());
    }
    let nodes = parts.hosts.iter().map(|host| server(scheme, parts.login, host));
    Ok(Address::Cluster(nodes.collect::<Result<_, _>>()?))
}

fn sentinel(scheme: &str, parts: &Parts<'_>) -> Result<Address, String> {
    let (master, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if master.is_empty() {
        return Err("the name of the master is missing: redis-sentinel://host,host/name".to_owned());
    }
    let (mut user, mut password) = ("", "");
    for (name, value) in &parts.options {
        match *name {
            "sentinel_user" => user = value,
            "sentinel_password" => password = value,
            _ => return Err("its options can be sentinel_user and sentinel_password".to_owned()),
        }
    }
    let to_sentinels = if password.is_empty() {
        String::new()
    } else {
        format!("{user}:{password}")
    };
    let sentinels = parts.hosts.iter().map(|host| {
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let host = if has_port {
            (*host).to_owned()
        } else {
            format!("{host}:{SENTINEL_PORT}")
        };
        server(scheme, &to_sentinels, &host)
    });
    // Only the way to log in is taken from it.
    let login = info(&format!("redis://{}@localhost/{database}", parts.login))?;
    Ok(Address::Sentinel {
        sentinels: sentinels.collect::<Result<_, _>>()?,
        master: master.to_owned(),
        login: login.redis_settings().clone(),
    })
}

/// The address with a password that came apart from it.
///
/// # Errors
/// Why it cannot have this one, without repeating either.
pub(super) fn with_password(url: &str, password: &str) -> Result<String, &'static str> {
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| scheme.starts_with("redis"))
        .ok_or("goes with addresses alone that begin with redis or rediss")?;
    let (login, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
    if login.contains(':') {
        return Err("is set, and the address of Redis has a password as well: take one of them");
    }
    let mut encoded = String::with_capacity(password.len());
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    Ok(format!("{scheme}://{login}:{encoded}@{hosts}"))
}

fn server(scheme: &str, login: &str, host: &str) -> Result<ConnectionInfo, String> {
    let info = info(&format!("{scheme}://{login}@{host}"))?;
    let is_host = matches!(
        info.addr(),
        ConnectionAddr::Tcp(_, _) | ConnectionAddr::TcpTls { .. }
    );
    is_host
        .then_some(info)
        .ok_or_else(|| "a host is no host".to_owned())
}

fn info(url: &str) -> Result<ConnectionInfo, String> {
    url.into_connection_info()
        .map_err(|error| error.category().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(infos: &[ConnectionInfo]) -> Vec<String> {
        infos.iter().map(|info| info.addr().to_string()).collect()
    }

    fn refused(url: &str) -> String {
        match Address::parse(url) {
            Err(reason) => reason,
            Ok(_) => panic!("{url} was taken"),
        }
    }

    #[test]
    fn one_server_stays_one_server() {
        for url in [
            "redis://:secret@example.org:7000/3",
            "unix:///redis.sock",
            "redis://a",
        ] {
            assert!(matches!(Address::parse(url), Ok(Address::One(_))), "{url}");
        }
    }

    #[test]
    fn a_cluster_is_several_hosts_with_one_login() {
        let url = "redis-cluster://us%40er:s%2Cecret@one:7000,two,[::1]:7001/0";
        let Ok(Address::Cluster(nodes)) = Address::parse(url) else {
            panic!("refused")
        };
        assert_eq!(hosts(&nodes), ["one:7000", "two:6379", "::1:7001"]);
        for node in &nodes {
            let redis = node.redis_settings();
            assert_eq!(
                (redis.username(), redis.password()),
                (Some("us@er"), Some("s,ecret"))
            );
        }
    }

    #[test]
    fn sentinels_have_a_port_and_a_password_of_their_own() {
        let url = "redis-sentinel://user:secret@one,two:26380,[::1]/main/2?sentinel_password=other";
        let Ok(Address::Sentinel {
            sentinels,
            master,
            login,
        }) = Address::parse(url)
        else {
            panic!("refused")
        };
        assert_eq!(hosts(&sentinels), ["one:26379", "two:26380", "::1:26379"]);
        for sentinel in &sentinels {
            let redis = sentinel.redis_settings();
            assert_eq!(
                (redis.username(), redis.password(), redis.db()),
                (None, Some("other"), 0)
            );
        }
        assert_eq!((master.as_str(), login.db()), ("main", 2));
        assert_eq!(
            (login.username(), login.password()),
            (Some("user"), Some("secret"))
        );

        let Ok(Address::Sentinel { sentinels, login, .. }) =
            Address::parse("redis-sentinel://:secret@one/main")
        else {
            panic!("refused")
        };
        assert_eq!(sentinels[0].redis_settings().password(), None);
        assert_eq!((login.password(), login.db()), (Some("secret"), 0));
    }

    #[test]
    fn a_password_of_its_own_is_put_into_the_address() {
        let odd = "p@ss:w/rd,%?#ä";
        for url in ["redis://one:7000/3", "redis://user@one:7000/3"] {
            let Ok(Address::One(info)) = Address::parse(&with_password(url, odd).unwrap()) else {
                panic!("refused")
            };
            assert_eq!(info.redis_settings().password(), Some(odd));
            assert_eq!(info.redis_settings().username().is_some(), url.contains("user"));
            assert_eq!(
                (info.addr().to_string().as_str(), info.redis_settings().db()),
                ("one:7000", 3)
            );
        }
        let url = with_password("redis-sentinel://one,two/main/2?sentinel_password=other", odd).unwrap();
        let Ok(Address::Sentinel { login, sentinels, .. }) = Address::parse(&url) else {
            panic!("refused")
        };
        assert_eq!((login.password(), hosts(&sentinels).len()), (Some(odd), 2));
        assert!(
            with_password("redis://:old@one", "new")
                .unwrap_err()
                .contains("as well")
        );
        assert!(with_password("unix:///redis.sock", "new").is_err());
    }

    #[test]
    fn a_bad_address_is_refused_without_being_repeated() {
        for url in [
            "http://:secret@example.org",
            "secret",
            "redis-cluster://:secret@",
            "redis-cluster://:secret@one,,two",
            "redis-cluster://:secret@one/1",
            "redis-cluster://:secret@one?secret=1",
            "redis-cluster://:secret@one:secret",
            "redis-cluster://:secret@one#secret",
            "redis-sentinel://:secret@one,two",
            "redis-sentinel://:secret@one/main/secret",
            "redis-sentinel://:secret@one/main?password=secret",
        ] {
            assert!(!refused(url).contains("secret"), "{url}: {}", refused(url));
        }
        assert!(refused("redis-sentinel://one").contains("name of the master"));
        assert!(refused("redis-cluster://one/1").contains("numbered databases"));
    }
}
