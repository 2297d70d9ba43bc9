//! PEM files to TLS configurations, for everything in this project that speaks TLS.
//!
//! ```text
//! ClientFiles { trust, identity }         ──read──►  rustls::ClientConfig
//! ServerFiles { identity, client_ca }     ──read──►  rustls::ServerConfig
//! Reloading   files and how to read them  ──now───►  the newest configuration that can be used
//! a handshake that failed                 ──explain──►  why, and what to do, in words
//! ```
//!
//! - **Errors** ([`TlsError`]) name the file and say what to do. They never repeat what is in a
//!   file: a key that lost its line ends would be part of a library's message.
//! - **Reloading**: files are compared by content every few seconds. A file that cannot be used
//!   is logged once, and the configuration before it stays in use.
//! - **Version 1**: a certificate without extensions (what a plain `openssl x509 -req` makes) is
//!   refused by the TLS library in use. Here that is an error of its own.

mod error;
mod explain;
mod files;
mod pem;
mod reload;

pub use error::TlsError;
pub use explain::{Explanation, explain};
pub use files::{ClientFiles, ClientPem, Identity, ServerFiles, Trust, server_name};
pub use reload::Reloading;
