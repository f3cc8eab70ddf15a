//! Reading the configuration file.

use anyhow::{Context, Result};
use bedside_server::Config;
use std::{fs, io, path::Path};

/// Where the configuration is unless `--config` says otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/bedside/bedside.toml";

/// The configuration in `path`; the defaults if the default file does not exist.
pub(crate) fn read(path: &Path) -> Result<Config> {
    match fs::read_to_string(path) {
        Ok(text) => Config::from_toml(&text).with_context(|| format!("{}", path.display())),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && path == Path::new(DEFAULT_PATH) =>
        {
            Ok(Config::default())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
