//! Which methods may be sent.

use hyper::Method;

use crate::error::Error;

/// The methods that may be sent: those that change nothing, and those that were named.
#[derive(Debug, Clone)]
pub(crate) struct Methods(Vec<Method>);

impl Methods {
    /// `GET`, `HEAD`, `OPTIONS`, and `also`; upper and lower case are the same, since HTTP's own methods are upper.
    ///
    /// # Errors
    /// [`Error::Setting`] for what cannot be a method.
    pub(crate) fn new(also: &[String]) -> Result<Self, Error> {
        let named = also.iter().map(|name| {
            name.trim().to_ascii_uppercase().parse().map_err(|_| Error::Setting {
                name: "--allow-method",
                found: format!("`{name}`"),
                expected: "an HTTP method such as POST",
            })
        });
        let mut methods = vec![Method::GET, Method::HEAD, Method::OPTIONS];
        methods.extend(named.collect::<Result<Vec<Method>, Error>>()?);
        Ok(Self(methods))
    }

    /// May `method` be sent?
    pub(crate) fn allow(&self, method: &Method) -> bool {
        self.0.contains(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_methods_unless_named() {
        #[track_caller]
        fn check(also: &[&str], method: Method, expected: bool) {
            let also: Vec<String> = also.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(Methods::new(&also).unwrap().allow(&method), expected);
        }
        check(&[], Method::GET, true);
        check(&[], Method::HEAD, true);
        check(&[], Method::POST, false);
        check(&["post"], Method::POST, true);
        check(&["POST"], Method::DELETE, false);
        assert!(Methods::new(&["PO ST".to_owned()]).is_err());
        assert!(Methods::new(&[String::new()]).is_err());
    }
}
