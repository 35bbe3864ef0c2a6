"""Parts of a report, one file each: what an audit says there, as blocks of a document."""
