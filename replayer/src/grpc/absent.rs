//! What stands in for methods in a program that was built without gRPC.

use std::path::Path;

use shared::request::GrpcCall;

use super::Misfit;
use crate::error::Error;

/// Descriptions of services; there are none.
pub(super) struct Library;

/// A method; there is none.
#[derive(Debug, Clone)]
pub(crate) enum Method {}

impl Library {
    pub(super) fn new(_beside: &Path) -> Self {
        Self
    }

    pub(super) fn method(&mut self, _call: &GrpcCall, _route: &str, place: String) -> Result<Method, Error> {
        let found = "a call of gRPC".to_owned();
        let expected = "none: this program was built without the cargo feature `grpc`".to_owned();
        Err(Error::Grpc { place, found, expected })
    }
}

impl Method {
    pub(crate) fn encode(&self, _json: &str) -> Result<Vec<u8>, Misfit> {
        match *self {}
    }

    pub(crate) fn json(&self, _body: &[u8]) -> Option<Vec<u8>> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_is_named() {
        let call =
            GrpcCall { proto: "shop.proto".to_owned(), include: Vec::new(), method: None, message: None };
        let error =
            Library::new(Path::new("")).method(&call, "/shop.Catalog/Get", "/x".to_owned()).unwrap_err();
        assert!(error.to_string().contains("without the cargo feature `grpc`"), "{error}");
    }
}
