//! Small pieces of pages: times, texts, links.

use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use maud::{Markup, html};

use crate::domain::shown;

/// Rows on one page of a list.
pub(super) const ROWS: i64 = 50;

/// Stored text without what turns or hides it.
pub(super) fn safe(text: &str) -> std::borrow::Cow<'_, str> {
    shown(text)
}

/// Text that may be missing.
pub(super) fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| safe(&value.to_string()).into_owned())
}

/// A state, in the colour that belongs to it.
pub(super) fn status(name: &str) -> Markup {
    html! { span class={ "status " (name) } { (name) } }
}

/// A time: how long ago, with the exact time as a tooltip.
pub(super) fn time(at: DateTime<Utc>) -> Markup {
    let exact = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    html! { time datetime=(exact) title=(exact) { (ago(Utc::now() - at)) } }
}

/// An exact time, to compare with a log, and how long ago it was.
pub(super) fn exact_time(at: DateTime<Utc>) -> Markup {
    html! { (at.format("%Y-%m-%d %H:%M:%S UTC")) span .faint { ", " (time(at)) } }
}

/// The same for one that may be missing.
pub(super) fn exact_time_or_dash(at: Option<DateTime<Utc>>) -> Markup {
    html! { @match at { Some(at) => (exact_time(at)), None => "–" } }
}

/// A time that may be missing.
pub(super) fn relative_time_or_dash(at: Option<DateTime<Utc>>) -> Markup {
    html! { @match at { Some(at) => (time(at)), None => "–" } }
}

fn ago(passed: TimeDelta) -> String {
    match passed.num_seconds() {
        ..0 => format!("in {}", span(-passed.num_seconds())),
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A difference with its lines coloured.
pub(super) fn diff(text: &str) -> Markup {
    html! {
        pre .diff {
            @for line in text.lines() {
                @match line.as_bytes().first() {
                    Some(b'+') => span .added { (safe(line)) },
                    Some(b'-') => span .removed { (safe(line)) },
                    _ => (safe(line)),
                }
                "\n"
            }
        }
    }
}

/// The link to the next page of a list, where it was full.
pub(super) fn next_page_link(path: &str, next: Option<String>) -> Markup {
    let separator = if path.contains('?') { '&' } else { '?' };
    html! { @if let Some(next) = next { p { a href={ (path) (separator) "after=" (next) } { "More" } } } }
}

/// Rows that are read of a list: one more than is shown tells whether any come after it.
pub(super) const ROWS_READ: i64 = ROWS + 1;

/// Leaves as many as are shown, and gives the cursor where others come after them.
pub(super) fn truncate_to_page<T>(items: &mut Vec<T>, cursor: impl Fn(&T) -> String) -> Option<String> {
    let shown = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let is_more = items.len() > shown;
    items.truncate(shown);
    items.last().filter(|_| is_more).map(cursor)
}

/// How much of a list is shown.
pub(super) fn shown_of_total(shown: usize, total: i64) -> Markup {
    html! { p .faint { @if i64::try_from(shown).is_ok_and(|shown| shown == total) { (total) " in all" } @else { (shown) " of " (total) " shown" } } }
}

/// Sends the browser to a page of this site; to the first one when the path leads elsewhere.
pub(super) fn redirect_to(path: &str) -> Response {
    let local = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    Redirect::to(if local { path } else { "/" }).into_response()
}

/// Text as a part of a path or query.
pub(super) fn url_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let table = [(0, "just now"), (7, "7 s ago"), (180, "3 min ago"), (8_000, "2 h ago"), (200_000, "2 days ago")];
        for (seconds, text) in table {
            assert_eq!(ago(TimeDelta::seconds(seconds)), text);
        }
        assert_eq!(ago(TimeDelta::seconds(-9)), "in 9 s");
    }

    #[test]
    fn nothing_leads_to_another_site() {
        for (path, target) in [
            ("/vmacs/10.0.0.6", "/vmacs/10.0.0.6"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil", "/"),
        ] {
            let response = redirect_to(path);
            assert_eq!(response.headers()[axum::http::header::LOCATION], target);
        }
    }

    #[test]
    fn a_list_has_more_only_where_more_was_read() {
        let mut full: Vec<i64> = (0..ROWS).collect();
        assert_eq!((truncate_to_page(&mut full, ToString::to_string), full.len()), (None, 50));
        let mut longer: Vec<i64> = (0..ROWS_READ).collect();
        assert_eq!((truncate_to_page(&mut longer, ToString::to_string), longer.len()), (Some("49".to_owned()), 50));
        assert_eq!(shown_of_total(50, 60).into_string(), "<p class=\"faint\">50 of 60 shown</p>");
    }

    #[test]
    fn a_difference_is_coloured_and_escaped() {
        let markup = diff("+<b>\n-x\u{202e}\n y").into_string();
        insta::assert_snapshot!(markup, @r#"
        <pre class="diff"><span class="added">+&lt;b&gt;</span>
        <span class="removed">-x\u202e</span>
         y
        </pre>
        "#);
    }
}
