//! Whether the page that is being made is for somebody who is logged in.

tokio::task_local! {
    /// Set while such a page is made.
    static LOGGED_IN: ();
}

/// Makes a page for somebody who showed the token.
pub(super) async fn scope<T>(page: impl Future<Output = T>) -> T {
    LOGGED_IN.scope((), page).await
}

/// True while such a page is made.
pub(super) fn is_logged_in() -> bool {
    LOGGED_IN.try_with(|()| ()).is_ok()
}
