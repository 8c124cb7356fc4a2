//! Where derived data (bases, development keys) is kept between runs.

use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};

/// The environment variable that overrides the directory.
pub const CACHE_VARIABLE: &str = "BLINDSUM_CACHE";

/// The directory: `given`, else what `BLINDSUM_CACHE` names, else `blindsum` under the user's cache directory; `None` if
/// the user has none.
#[must_use]
pub fn cache_dir(given: Option<&Path>) -> Option<PathBuf> {
    let named = || std::env::var_os(CACHE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let default = || choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("blindsum"));
    given.map(Path::to_owned).or_else(named).or_else(default)
}
