//! Incumbent records in a directory that many processes of one machine share.
