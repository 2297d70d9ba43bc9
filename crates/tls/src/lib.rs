//! Turns PEM files into TLS configurations, for everything in this project that speaks TLS.
//!
//! ```text
//! ClientFiles { trust, identity }         ──read──►  rustls::ClientConfig
//! ServerFiles { identity, client_ca }     ──read──►  rustls::ServerConfig
//! Reloading   files and how to read them  ──now───►  the newest usable configuration
//! a handshake that failed                 ──explain──►  why, and what to do, in words
//! ```
//!
//! - **Errors** ([`TlsError`]) name the file and say what to do. They never repeat the contents of
//!   a file: if a key lost its line ends, a library's message would contain part of it.
//! - **Reloading**: files are compared by content every few seconds. An unusable file is logged
//!   once, and the previous configuration stays in use.
//! - **Version 1**: a certificate without extensions (the output of a plain `openssl x509 -req`) is
//!   refused by the TLS library in use. This crate reports that as an error of its own.

mod error;
mod explain;
mod files;
mod pem;
mod reload;

pub use error::TlsError;
pub use explain::{Explanation, explain};
pub use files::{ClientFiles, ClientPem, Identity, ServerFiles, Trust, server_name};
pub use reload::Reloading;
