//! How long a pause may be before it ends a session.
//!
//! Pauses within visits and absences between them show as two humps in the logarithm of the gaps between a client's
//! requests; the session gap belongs where a gap is as likely one as the other (Halfaker et al., WWW 2015).

use std::collections::BTreeMap;

use shared::distribution::{Law, LognormalComponent};

use super::fit::Fit;
use super::gaps::{Gaps, Window};
use super::{family, lognormals};
