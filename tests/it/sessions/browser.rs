//! A real browser, in which somebody has logged in with cookies, on a page of another origin. `./test.sh
//! quick` leaves these out.
