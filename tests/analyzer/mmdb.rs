//! Databases in MaxMind's format, made for tests: a search tree over networks, and what it says of each
//! (<https://maxmind.github.io/MaxMind-DB/>, version 2.0).

use std::net::IpAddr;

/// What a database says of a network.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Says {
    /// Its country: `{country: {iso_code: …}}`.
    Country(&'static str),
    /// The number of its operator, as databases of networks do: `{autonomous_system_number: …}`.
    Operator(u32),
}

/// A child in the search tree.
#[derive(Debug, Clone, Copy)]
enum Child {
    None,
    Node(usize),
    /// Where the record begins in the data section.
    Record(usize),
}

/// A database of the type `kind` for addresses of `ip_version`, with networks such as `192.0.2.0/24`; those of version
/// 4 stand below `::/96` in one of version 6.
pub(crate) fn database(kind: &str, ip_version: u16, networks: &[(&str, Says)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Child::None; 2]], Vec::new());
    for (network, says) in networks {
        let record = data.len();
        match says {
            Says::Country(code) => {
                map(&mut data, 1);
                text(&mut data, "country");
                map(&mut data, 1);
                text(&mut data, "iso_code");
                text(&mut data, code);
            }
            Says::Operator(number) => {
                map(&mut data, 1);
                text(&mut data, "autonomous_system_number");
                number_of_type(&mut data, 6, &number.to_be_bytes());
            }
        }
        let bits = bits(network, ip_version);
        let (last, path) = bits.split_last().unwrap();
        let mut node = 0;
        for bit in path {
            node = match nodes[node][usize::from(*bit)] {
                Child::Node(next) => next,
                Child::None => {
                    nodes.push([Child::None; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][usize::from(*bit)] = Child::Node(next);
                    next
                }
                Child::Record(_) => panic!("{network} lies in another network"),
            };
        }
        nodes[node][usize::from(*last)] = Child::Record(record);
    }
    let count = nodes.len();
    let mut bytes = Vec::new();
    for child in nodes.iter().flatten() {
        let number = match child {
            Child::None => count,
            Child::Node(node) => *node,
            Child::Record(at) => count + SEPARATOR.len() + at,
        };
        bytes.extend_from_slice(&(number as u32).to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&SEPARATOR);
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    map(&mut bytes, 9);
    text(&mut bytes, "binary_format_major_version");
    number_of_type(&mut bytes, 5, &2_u16.to_be_bytes());
    text(&mut bytes, "binary_format_minor_version");
    number_of_type(&mut bytes, 5, &0_u16.to_be_bytes());
    text(&mut bytes, "build_epoch");
    // A type beyond seven stands in a byte of its own: 9, a number of 64 bits.
    bytes.extend_from_slice(&[8, 9 - 7]);
    bytes.extend_from_slice(&1_793_577_600_u64.to_be_bytes());
    text(&mut bytes, "database_type");
    text(&mut bytes, kind);
    text(&mut bytes, "description");
    map(&mut bytes, 1);
    text(&mut bytes, "en");
    text(&mut bytes, "made for a test");
    text(&mut bytes, "ip_version");
    number_of_type(&mut bytes, 5, &ip_version.to_be_bytes());
    text(&mut bytes, "languages");
    bytes.extend_from_slice(&[1, 11 - 7]);
    text(&mut bytes, "en");
    text(&mut bytes, "node_count");
    number_of_type(&mut bytes, 6, &(count as u32).to_be_bytes());
    text(&mut bytes, "record_size");
    number_of_type(&mut bytes, 5, &24_u16.to_be_bytes());
    bytes
}

/// Between the tree and the data.
const SEPARATOR: [u8; 16] = [0; 16];

fn bits(network: &str, ip_version: u16) -> Vec<bool> {
    let (address, length) = network.split_once('/').unwrap();
    let length: usize = length.parse().unwrap();
    let (bytes, length) = match (address.parse().unwrap(), ip_version) {
        (IpAddr::V4(v4), 4) => (v4.octets().to_vec(), length),
        (IpAddr::V4(v4), _) => ([[0; 12].as_slice(), &v4.octets()].concat(), 96 + length),
        (IpAddr::V6(v6), _) => (v6.octets().to_vec(), length),
    };
    bytes
        .into_iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .take(length)
        .collect()
}

fn map(out: &mut Vec<u8>, pairs: u8) {
    out.push(7 << 5 | pairs);
}

fn text(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 29, "longer texts are written otherwise");
    out.push(2 << 5 | text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn number_of_type(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 5 | bytes.len() as u8);
    out.extend_from_slice(bytes);
}
