//! How large a page is shown and in which theme, and pictures of it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::browser::Browser;

/// A phone, held upright.
pub const PHONE: Size = Size {
    name: "phone",
    width: 390,
    height: 844,
};

/// A window on a desk.
pub const DESK: Size = Size {
    name: "desk",
    width: 1440,
    height: 900,
};

/// How large the window is, in pixels of CSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// For names of pictures.
    pub name: &'static str,
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// What a person prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

impl Theme {
    /// As a style sheet asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Shows pages in this size and theme from now on, without animations.
    #[track_caller]
    pub fn show_as(&self, size: Size, theme: Theme) {
        // Without this, a window is never narrower than 500 pixels.
        self.command(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": size.width,
                "height": size.height,
                "deviceScaleFactor": 1,
                "mobile": size == PHONE,
            }),
        );
        let features = json!([
            {"name": "prefers-color-scheme", "value": theme.name()},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Writes a picture of the whole page, what is below the window too.
    #[track_caller]
    pub fn picture(&self, file: &Path) {
        let shot = self.command(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true}),
        );
        let png = STANDARD
            .decode(shot["data"].as_str().expect("the browser made a picture"))
            .expect("the picture is base64");
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory).expect("pictures have a directory");
        }
        std::fs::write(file, png).expect("the picture can be written");
    }

    /// By how many pixels the page is wider than its window. People do not scroll sideways.
    #[track_caller]
    pub fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - innerWidth";
        self.run(script, &[]).as_i64().unwrap_or_default()
    }
}
