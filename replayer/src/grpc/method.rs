//! Methods and their messages, as files of descriptors have them: JSON to protobuf and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use shared::error::nearest;
use shared::request::GrpcCall;

use super::Misfit;
use super::frame::PREFIX;
use crate::error::Error;

/// Descriptions of services, each file read once.
pub(super) struct Library {
    /// Where paths are seen from.
    beside: PathBuf,
    pools: BTreeMap<(String, Vec<String>), DescriptorPool>,
}

/// A method, with the types of what it takes and gives.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    takes: MessageDescriptor,
    gives: MessageDescriptor,
}

impl Library {
    /// Of files whose paths are seen from `beside`.
    pub(super) fn new(beside: &Path) -> Self {
        Self { beside: beside.to_owned(), pools: BTreeMap::new() }
    }

    /// The method that `call` means, of an endpoint with this `route`; it stands at `place` in the profile.
    pub(super) fn method(&mut self, call: &GrpcCall, route: &str, place: String) -> Result<Method, Error> {
        let key = (call.proto.clone(), call.include.clone());
        let pool = match self.pools.get(&key) {
            Some(pool) => pool.clone(),
            None => self.read(call)?,
        };
        self.pools.insert(key, pool.clone());
        Method::find(&pool, call, route, place)
    }

    fn read(&self, call: &GrpcCall) -> Result<DescriptorPool, Error> {
        let path = self.beside.join(&call.proto);
        let bytes = fs_err::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        // Where both say the same, this form has file and line in front.
        let unusable = |error: &dyn std::fmt::Debug| Error::Proto {
            path: path.clone(),
            source: format!("{error:?}").into(),
        };
        if !is_text(&bytes) {
            return DescriptorPool::decode(&*bytes).map_err(|error| unusable(&error));
        }
        // Its own directory last: a file is called as those that import it see it.
        let own = path.parent().map(Path::to_owned);
        let include = call.include.iter().map(|directory| self.beside.join(directory)).chain(own);
        let compiled = protox::Compiler::new(include).and_then(|mut compiler| {
            compiler.open_file(&path)?;
            Ok(compiler.descriptor_pool())
        });
        compiled.map_err(|error| unusable(&error))
    }
}

/// Is it a `.proto`? A descriptor set with a method in it has control characters in front of the method's name.
fn is_text(bytes: &[u8]) -> bool {
    let is_text = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_text))
}

impl Method {
    fn find(pool: &DescriptorPool, call: &GrpcCall, route: &str, place: String) -> Result<Self, Error> {
        let known =
            |method: &MethodDescriptor| format!("{}/{}", method.parent_service().full_name(), method.name());
        let named =
            call.called(route).map(|(service, method)| format!("{service}/{method}")).unwrap_or_default();
        let methods: Vec<_> =
            pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
        let Some(method) = methods.iter().find(|method| known(method) == named) else {
            let all: Vec<String> = methods.iter().map(known).collect();
            let expected = match nearest(&named, all.iter().map(String::as_str)) {
                Some(near) => format!("a method of `{}` such as `{near}`", call.proto),
                None if all.is_empty() => format!("a method of `{}`, which has none", call.proto),
                None => format!("a method of `{}`: {}", call.proto, some_of(&all)),
            };
            return Err(Error::Grpc { place, found: format!("`{named}`"), expected });
        };
        let streams = match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => None,
            (true, false) => Some("takes a stream of messages"),
            (false, true) => Some("gives a stream of messages"),
            (true, true) => Some("takes and gives streams of messages"),
        };
        if let Some(streams) = streams {
            let expected = "a unary method: one message there, one back".to_owned();
            return Err(Error::Grpc { place, found: format!("`{named}`, which {streams}"), expected });
        }
        Ok(Self { takes: method.input(), gives: method.output() })
    }

    /// The message that `json` means, with its prefix: the body of a call.
    ///
    /// # Errors
    /// [`Misfit`] for what is no JSON, and for JSON that does not fit the type.
    pub(crate) fn encode(&self, json: &str) -> Result<Vec<u8>, Misfit> {
        let mut read = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(self.takes.clone(), &mut read);
        let message = message
            .and_then(|message| read.end().map(|()| message))
            .map_err(|_| misfit(json, &self.takes))?;
        let mut bytes = vec![0; PREFIX];
        bytes.reserve(message.encoded_len());
        let too_long = |found: &str| Misfit { line: None, found: found.to_owned() };
        message.encode(&mut bytes).map_err(|_| too_long("a message that cannot be written"))?;
        let length =
            u32::try_from(bytes.len() - PREFIX).map_err(|_| too_long("a message of 4 GiB or more"))?;
        // Not compressed, which is what the first byte says.
        bytes[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        Ok(bytes)
    }

    /// The JSON form of the message in `body`, an answer; none where there is none.
    pub(crate) fn json(&self, body: &[u8]) -> Option<Vec<u8>> {
        let message = DynamicMessage::decode(self.gives.clone(), only_message(body)?).ok()?;
        serde_json::to_vec(&message).ok()
    }
}

/// The message in the body of an answer that has one, and not compressed: nobody asked for that.
fn only_message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_at_checked(PREFIX)?;
    let [flag, length @ ..] = <[u8; PREFIX]>::try_from(prefix).ok()?;
    (flag == 0 && u32::from_be_bytes(length) as usize == message.len()).then_some(message)
}

/// The first names of a list, which may be long.
fn some_of(names: &[String]) -> String {
    const SOME: usize = 8;
    let more = (names.len() > SOME).then(|| "…".to_owned());
    let shown = names.iter().take(SOME).map(|name| format!("`{name}`"));
    shown.chain(more).collect::<Vec<_>>().join(", ")
}

/// Why `json` is no `message`.
fn misfit(json: &str, message: &MessageDescriptor) -> Misfit {
    match serde_json::from_str::<Value>(json) {
        Err(error) => Misfit { line: Some(error.line()), found: "text that is no JSON".to_owned() },
        Ok(value) => {
            let whole = || format!("JSON that is no `{}`", message.full_name());
            Misfit { line: None, found: wrong_field(&value, message, "").unwrap_or_else(whole) }
        }
    }
}

/// The first field of `value` that does not fit `message`, which stands at `place` in the whole. Names are those of the
/// descriptors: what the JSON has instead may be somebody's.
fn wrong_field(value: &Value, message: &MessageDescriptor, place: &str) -> Option<String> {
    let at =
        if place.is_empty() { String::new() } else { format!(" at `{}`", place.trim_start_matches('.')) };
    let Value::Object(fields) = value else {
        return Some(format!("JSON that is no object{at}, where a `{}` should be", message.full_name()));
    };
    fields.iter().find_map(|(name, value)| {
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        let Some(field) = field else {
            let names: Vec<String> = message.fields().map(|field| field.json_name().to_owned()).collect();
            let has = if names.is_empty() { "no field".to_owned() } else { some_of(&names) };
            return Some(format!("an unknown field{at}: `{}` has {has}", message.full_name()));
        };
        let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        if DynamicMessage::deserialize(message.clone(), alone).is_ok() {
            return None;
        }
        let here = format!("{place}.{}", field.json_name());
        let inner = match field.kind() {
            // Those have JSON forms of their own.
            Kind::Message(inner) if inner.package_name() != "google.protobuf" && !field.is_map() => {
                let items = if field.is_list() {
                    value.as_array().map(Vec::as_slice)
                } else {
                    Some(std::slice::from_ref(value))
                };
                items.unwrap_or_default().iter().find_map(|item| wrong_field(item, &inner, &here))
            }
            _ => None,
        };
        Some(inner.unwrap_or_else(|| {
            format!(
                "a value that does not fit the field `{}` of `{}`",
                here.trim_start_matches('.'),
                message.full_name()
            )
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_reflect::prost_types::FileDescriptorSet;

    const COMMON: &str = "syntax = \"proto3\";\npackage shop.common;\nmessage Money { int64 units = 1; string currency = 2; }\n";
    const SHOP: &str = r#"
syntax = "proto3";
package shop;
import "common/money.proto";
import "google/protobuf/timestamp.proto";
service Catalog {
  rpc GetProduct(GetProductRequest) returns (Product);
  rpc Watch(GetProductRequest) returns (stream Product);
  rpc Upload(stream Product) returns (Product);
  rpc Chat(stream Product) returns (stream Product);
}
message GetProductRequest {
  string slug = 1;
  repeated int32 sizes = 2;
  Filter filter = 3;
  bytes page_token = 4;
}
message Filter { bool in_stock = 1; repeated shop.common.Money prices = 2; google.protobuf.Timestamp since = 3; }
message Product { string slug = 1; shop.common.Money price = 2; uint64 views = 3; }
"#;

    /// A directory with `profile/shop.proto`, and what that imports in `protos`.
    fn files() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [("shop.proto", SHOP), ("protos/common/money.proto", COMMON)] {
            let path = directory.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        directory
    }

    fn call(proto: &str, method: Option<&str>) -> GrpcCall {
        let method = method.map(str::to_owned);
        GrpcCall { proto: proto.to_owned(), include: vec!["protos".to_owned()], method, message: None }
    }

    fn find(directory: &Path, call: &GrpcCall, route: &str) -> Result<Method, Error> {
        Library::new(directory).method(call, route, "/endpoints/0/request/grpc".to_owned())
    }

    fn get_product() -> Method {
        find(files().path(), &call("shop.proto", None), "/shop.Catalog/GetProduct").unwrap()
    }

    #[test]
    fn json_becomes_protobuf_and_comes_back() {
        let method = get_product();
        let json = r#"{"slug": "mug", "sizes": [1, 300], "filter": {"inStock": true, "prices": [{"units": "5"}]}, "page_token": "AAE="}"#;
        let expected =
            b"\0\0\0\0\x18\x0a\x03mug\x12\x03\x01\xac\x02\x1a\x06\x08\x01\x12\x02\x08\x05\x22\x02\x00\x01";
        let mut expected = expected.to_vec();
        expected[4] = (expected.len() - PREFIX) as u8;
        assert_eq!(method.encode(json), Ok(expected));
        assert_eq!(method.encode("{}"), Ok(vec![0; 5]));
        let answer = b"\0\0\0\0\x0c\x0a\x03mug\x12\x02\x08\x05\x18\x07";
        let mut answer = answer.to_vec();
        answer[4] = (answer.len() - PREFIX) as u8;
        let json: Value = serde_json::from_slice(&method.json(&answer).unwrap()).unwrap();
        assert_eq!(json, serde_json::json!({"slug": "mug", "price": {"units": "5"}, "views": "7"}));
        assert_eq!(method.json(b"\0\0\0\0\x01\xff"), None);
        assert_eq!(method.json(b""), None);
    }

    #[test]
    fn a_message_stands_behind_its_length() {
        assert_eq!(only_message(b"\0\0\0\0\x05hello"), Some(&b"hello"[..]));
        assert_eq!(only_message(b"\0\0\0\0\0"), Some(&b""[..]));
        for other in [&b"\0\0\0\0"[..], b"\0\0\0\0\x06hello", b"\0\0\0\0\x04hello", b"\x01\0\0\0\x05hello"] {
            assert_eq!(only_message(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place_and_shows_no_value() {
        #[track_caller]
        fn check(json: &str, line: Option<usize>, words: &str) {
            let misfit = get_product().encode(json).unwrap_err();
            assert_eq!(misfit.line, line, "{misfit:?}");
            assert!(misfit.found.contains(words) && !misfit.found.contains("secret"), "{misfit:?}");
        }
        check("{\n\"slug\": }", Some(2), "no JSON");
        check("", Some(1), "no JSON");
        check("{} {}", Some(1), "no JSON");
        check("[]", None, "no object, where a `shop.GetProductRequest` should be");
        check(
            r#"{"secret": 1}"#,
            None,
            "an unknown field: `shop.GetProductRequest` has `slug`, `sizes`, `filter`, `pageToken`",
        );
        check(r#"{"slug": 1}"#, None, "the field `slug` of `shop.GetProductRequest`");
        check(r#"{"sizes": [1, "secret"]}"#, None, "the field `sizes`");
        check(r#"{"filter": {"inStock": "secret"}}"#, None, "the field `filter.inStock` of `shop.Filter`");
        check(
            r#"{"filter": {"prices": [{}, {"unit": 1}]}}"#,
            None,
            "at `filter.prices`: `shop.common.Money` has",
        );
        check(r#"{"filter": {"prices": [{"units": "secret"}]}}"#, None, "the field `filter.prices.units`");
        check(r#"{"filter": {"since": "secret"}}"#, None, "the field `filter.since` of `shop.Filter`");
        check(r#"{"filter": "secret"}"#, None, "no object at `filter`");
    }

    #[test]
    fn calls_are_found_in_either_kind_of_file() {
        let directory = files();
        let own = find(directory.path(), &call("shop.proto", None), "/shop.Catalog/GetProduct").unwrap();
        let named = call("shop.proto", Some("shop.Catalog/GetProduct"));
        let behind = find(directory.path(), &named, "/{token}/a").unwrap();
        assert_eq!(behind.takes.full_name(), "shop.GetProductRequest");
        let pool = own.takes.parent_pool();
        let set = FileDescriptorSet { file: pool.file_descriptor_protos().cloned().collect() };
        fs_err::write(directory.path().join("shop.proto"), set.encode_to_vec()).unwrap();
        let same = find(directory.path(), &call("shop.proto", None), "/shop.Catalog/GetProduct").unwrap();
        assert_eq!(same.encode(r#"{"slug": "mug"}"#), own.encode(r#"{"slug": "mug"}"#));
    }

    #[test]
    fn what_cannot_be_called_is_an_error_that_says_why() {
        #[track_caller]
        fn check(route: &str, edit: impl Fn(&Path), words: &[&str]) {
            let directory = files();
            edit(directory.path());
            let error =
                anyhow::Error::from(find(directory.path(), &call("shop.proto", None), route).unwrap_err());
            let message = format!("{error:#}");
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
        let same = |_: &Path| ();
        let get = "/shop.Catalog/GetProduct";
        check(
            "/shop.Catalog/GetProdct",
            same,
            &["/endpoints/0/request/grpc", "`shop.Catalog/GetProdct`", "such as `shop.Catalog/GetProduct`"],
        );
        check("/elsewhere.Orders/List", same, &["`shop.Catalog/GetProduct`, `shop.Catalog/Watch`"]);
        check("/shop.Catalog/Watch", same, &["gives a stream", "unary"]);
        check("/shop.Catalog/Upload", same, &["takes a stream", "unary"]);
        check("/shop.Catalog/Chat", same, &["takes and gives streams"]);
        let write = |text: &'static str| {
            move |directory: &Path| fs_err::write(directory.join("shop.proto"), text).unwrap()
        };
        check(
            get,
            write("syntax = \"proto3\";\nmessage A { B b = 1; }"),
            &["shop.proto", "shop.proto:2:13", "'B'"],
        );
        check(get, write("syntax = \"proto3\";\n\nmessage {"), &["shop.proto:3:9"]);
        check(get, write("syntax = \"proto3\";"), &["which has none"]);
        check(get, write("syntax = \"proto3\";\nimport \"no/such.proto\";"), &["no/such.proto"]);
        check(
            get,
            |directory| fs_err::write(directory.join("shop.proto"), b"\x0a\xff\xff").unwrap(),
            &["shop.proto"],
        );
        check(
            get,
            |directory| fs_err::remove_file(directory.join("shop.proto")).unwrap(),
            &["cannot read", "shop.proto"],
        );
    }
}
