//! A real browser (headless Chromium), driven as a person would use it.

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::vmacd::{Serve, Settings};
use super::{eventually, free_port, run_dir, unique};

/// The browser with one window. It ends with the test, however that ends.
pub struct Browser {
    /// What drives it.
    pub client: Client,
    session: String,
    _driver: Serve,
}

impl Browser {
    /// Starts it with a window of this size.
    pub async fn start(width: u32, height: u32) -> Self {
        let (port, home) = (free_port(), run_dir().join(unique("browser")));
        std::fs::create_dir_all(&home).expect("a folder for the browser");
        let settings = Settings::new().set("HOME", home.display()).set("TMPDIR", home.display());
        let arguments = [&format!("--port={port}"), "--allowed-ips=127.0.0.1"];
        let driver = Serve::start_program("chromedriver", &arguments, &settings, "started successfully").await;
        let url = format!("http://127.0.0.1:{port}");
        let profile = format!("--user-data-dir={}", home.join("profile").display());
        let size = format!("--window-size={width},{height}");
        let flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];
        let flags: Vec<&str> = flags.into_iter().chain([size.as_str(), profile.as_str()]).collect();
        let mut options = json!({"args": flags});
        // Chromium makes no window narrower than 500: a phone is emulated.
        if width < 500 {
            let metrics = json!({"width": width, "height": height, "pixelRatio": 2, "mobile": true, "touch": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let wanted = json!({"goog:chromeOptions": options});
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted.as_object().expect("an object").clone());
        let client =
            builder.connect(&url).await.unwrap_or_else(|error| panic!("no browser: {error}\n{}", driver.log()));
        let session = client.session_id().await.expect("a session").expect("a session");
        Self { client, session: format!("{url}/session/{session}"), _driver: driver }
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The one element that the selector names, once it is there.
    pub async fn element(&self, css: &str) -> Element {
        eventually(&format!("{css} is on the page"), async || self.client.find(Locator::Css(css)).await).await
    }

    /// Presses what the selector names; a page that was just renewed is tried again.
    pub async fn press(&self, css: &str) {
        eventually(&format!("{css} can be pressed"), async || self.element(css).await.click().await).await;
    }

    /// What the page's main part says.
    pub async fn text(&self) -> String {
        self.element("main").await.text().await.unwrap_or_default()
    }

    /// Waits until the page says this.
    pub async fn says(&self, text: &str) {
        eventually(&format!("the page says {text:?}"), async || {
            let now = self.text().await;
            if now.contains(text) { Ok(()) } else { Err(now) }
        })
        .await;
    }

    /// Runs a script and gives what it returns.
    pub async fn script(&self, script: &str) -> serde_json::Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// A picture of the window.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }
}

impl Drop for Browser {
    // Ending the session ends Chromium's processes, which a killed driver would leave behind.
    fn drop(&mut self) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(std::time::Duration::from_secs(10))).build().into();
        let _ = agent.delete(&self.session).call();
    }
}
