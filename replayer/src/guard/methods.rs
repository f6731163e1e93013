//! Which methods may be sent, and to which endpoints.

use hyper::Method;
use shared::Profile;

use crate::error::Error;

/// The methods that may be sent: those that change nothing, and those that were named, for one endpoint or for all.
#[derive(Debug, Clone)]
pub(crate) struct Methods(Vec<(Method, Option<String>)>);

impl Methods {
    /// `GET`, `HEAD`, `OPTIONS`, and `also`: `POST`, or `POST:create_order` for the endpoint of that id only. Upper and
    /// lower case of methods are the same, since HTTP's own are upper.
    ///
    /// # Errors
    /// [`Error::Setting`] for what cannot be a method, or an endpoint that `profile` does not have.
    pub(crate) fn new(also: &[String], profile: &Profile) -> Result<Self, Error> {
        let named = also.iter().map(|text| {
            let wrong =
                |expected| Error::Setting { name: "--allow-method", found: format!("`{text}`"), expected };
            let (name, endpoint) = match text.split_once(':') {
                Some((name, endpoint)) => (name, Some(endpoint.trim())),
                None => (text.as_str(), None),
            };
            let method = name.trim().to_ascii_uppercase().parse();
            let method = method.map_err(|_| wrong("an HTTP method such as POST"))?;
            match endpoint {
                Some(id) if profile.endpoint(id).is_none() => {
                    Err(wrong("a method and the id of an endpoint of the profile, such as POST:create_order"))
                }
                endpoint => Ok((method, endpoint.map(str::to_owned))),
            }
        });
        let harmless = [Method::GET, Method::HEAD, Method::OPTIONS].map(|method| (method, None));
        Ok(Self(harmless.into_iter().map(Ok).chain(named).collect::<Result<_, Error>>()?))
    }

    /// May `method` be sent to the endpoint with this id?
    pub(crate) fn allow(&self, method: &Method, endpoint: &str) -> bool {
        self.0.iter().any(|(allowed, id)| allowed == method && id.as_ref().is_none_or(|id| id == endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn only_harmless_methods_unless_named() {
        let profile = from_yaml(EXAMPLE).unwrap();
        let methods = |also: &[&str]| {
            let also: Vec<String> = also.iter().map(|name| (*name).to_owned()).collect();
            Methods::new(&also, &profile)
        };
        let check = |also: &[&str], method: Method, endpoint: &str, expected: bool| {
            assert_eq!(
                methods(also).unwrap().allow(&method, endpoint),
                expected,
                "{also:?} {method} {endpoint}"
            );
        };
        check(&[], Method::GET, "get_home", true);
        check(&[], Method::HEAD, "get_home", true);
        check(&[], Method::POST, "get_home", false);
        check(&["post"], Method::POST, "get_home", true);
        check(&["POST"], Method::DELETE, "get_home", false);
        check(&["POST:get_home"], Method::POST, "get_home", true);
        check(&["POST:get_home"], Method::POST, "get_item", false);
        check(&["delete: get_home", "POST"], Method::POST, "get_item", true);
        for wrong in ["PO ST", "", ":get_home", "POST:get_nothing", "POST:"] {
            assert!(methods(&[wrong]).is_err(), "{wrong}");
        }
    }
}
