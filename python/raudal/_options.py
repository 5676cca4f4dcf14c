"""The options of the functions, with their help. Written by tools/options.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TypedDict, Union

Value = Union[str, int, float, timedelta, "os.PathLike[str]"]
Values = Union[Value, Iterable[Value], Mapping[str, str]]


class Options(TypedDict, total=False):
    """What all options have in common: each may be left out, or be None."""


class TableOptions(Options, total=False):
    """The options of :func:`raudal.table`: those of ``raudal table``."""

    input: Values
    """Read sources from this file, or from stdin with `-`: one per line, optional TAB and name, `#`
    comments"""
    links: Values
    """Read each source as an HTML page, and fetch the links on it that match this glob, such as
    '*.csv' or '2020/*.zip'"""
    links_any_host: bool
    """Also fetch links to other hosts than that of their page"""
    strict_list: bool
    """Refuse a list with a bad line, before anything is fetched [default: the line fails, the
    others go on]"""
    where: Values
    """Keep only the rows that match this expression over the columns, such as 'MUN == 0 and POBTOT
    > 1000'"""
    seed: Values
    """The seed of sample=: the same seed gives the same rows [default: 0]"""
    select: Values
    """Write only these columns, in this order: names, VPH_* (a pattern), ENTIDAD..LOC (a range),
    !NOM_* (all but these), POBTOT as people, 'a name, with a comma'"""
    columns_mode: Values
    """When columns differ: strict refuses the input, union has the columns of all, intersection
    those that all have"""
    fold_names: bool
    """Treat names of columns that differ only by case or accents as the same"""
    distinct: bool
    """Write equal rows once; rows are equal if all their cells are the same text"""
    limit: Values
    """Write the first N rows, in input order, and stop the transfers once they are there"""
    sample: Values
    """Write a random sample of N rows, in input order; seed= chooses another one"""
    count: bool
    """Write no rows, but how many were read and kept of each input and in all"""
    member: Values
    """Read only the members of an archive that match this glob: '**/data/*.csv'; in an inner
    archive: 'inner.zip!/**/*.csv'"""
    sheet: Values
    """Read this sheet of an Excel workbook: its name, or its position from 1 [default: the only one
    with cells]"""
    member_encoding: Values
    """The encoding of members' names that are not UTF-8, such as cp850 [default: cp437]"""
    source_column: Values
    """Prepend a column with this name that holds the source of each row"""
    encoding: Values
    """The encoding of the inputs; several, such as utf-8,windows-1252, are tried in order on each
    whole input; auto decides"""
    delimiter: Values
    """What separates fields: a character, `tab`, or `auto` [default: a tab for .tsv and .tab, else
    a comma]"""
    quote: Values
    """What encloses fields: a character, or `none` if quotes are letters [default: ']"""
    escape: Values
    """Read the character after this one literally"""
    comment: Values
    """Leave out lines that begin with this text"""
    skip_rows: Values
    """Skip this many lines at the beginning"""
    columns: Values
    """Use these names for the columns, in place of the header: a, b, 'a name, with a comma'"""
    footer: Values
    """Drop this many lines at the end"""
    trim: bool
    """Remove blanks around names and cells"""
    ragged: Values
    """Records with more or fewer fields than the header: refuse the input, or pad or skip them"""
    repeated_header: Values
    """Rows that repeat the header, as in joined files: warn of them, or drop them"""
    decimal: Values
    """The decimal mark of numbers, for where= and types= [default: .]"""
    thousands: Values
    """The mark between the thousands of numbers, for where= and types="""
    null: Values
    """Cells that mean 'no value' for where=, besides empty ones [default: none; *,N/D,N/A for
    iter]"""
    max_members: Values
    """Refuse archives with more members than this"""
    max_member_size: Values
    """Refuse members that decompress to more than this"""
    max_ratio: Values
    """Refuse members that decompress to more than N times their size"""
    max_field_size: Values
    """Refuse fields that are longer than this"""
    overwrite: bool
    """Replace an existing output; in a database, the table"""
    types: Values
    """Give columns types (text, int, float, date), such as 'POBTOT:int, LAT:float'; `auto` decides
    on all rows [default: all text]"""
    checksums: Values
    """Verify inputs against this list of SHA-256 checksums, in the format of sha256sum; refuse
    inputs that it lacks"""
    cache: bool
    """Cache what is fetched; ask the server each time whether it has changed"""
    cache_dir: Values
    """Use this cache folder; implies cache= [default: $XDG_CACHE_HOME/raudal, else
    ~/.cache/raudal]"""
    refresh: bool
    """Fetch everything again and cache it; implies cache="""
    offline: bool
    """Use only the cache: no requests, inputs that are not in it fail; implies cache="""
    no_cache: bool
    """Do not use the cache, even if the environment enables it, nor the limits of hosts that it
    remembers"""
    lock: Values
    """Record the size, SHA-256, validators and rows of each input, as JSON, once all are done"""
    locked: bool
    """Write no result if an input differs from its record in the lock= file"""
    jobs: Values
    """Process up to N inputs at once; auto raises the limit of each host, up to 64, while
    throughput grows"""
    sequential: bool
    """Process one input after the other, the same as -j 1"""
    per_host: Values
    """Process up to N inputs of one host at once [default: the limit of -j]"""
    rate: Values
    """Start no more transfers than this, such as 5/s or 30/min"""
    retries: Values
    """Retry up to N times, if a retry may help; keep retrying while a download makes progress"""
    retry_on: Values
    """Retry on these statuses, classes and causes, but not on those after `!`, such as
    429,5xx,!501,timeout"""
    retry_delay: Values
    """Wait up to this time before the first retry; the limit doubles with each retry, up to 30 s"""
    retry_max_time: Values
    """Do not retry an input once this time has passed since its first attempt"""
    fail_fast: bool
    """Stop at the first input that fails after all retries"""
    max_failures: Values
    """Stop once N inputs have failed after all retries"""
    deadline: Values
    """Stop the run after this time, finished or not"""
    connect_timeout: Values
    """Give up on a connection that takes longer to open"""
    read_timeout: Values
    """Give up when no data arrives for this time"""
    limit_rate: Values
    """Limit the total download rate to SIZE per second"""
    header: Values
    """Send this header with every request: 'Name: value'. For tables also: the line that holds the
    header, such as 3, or `none`"""
    user_agent: Values
    """Send this User-Agent [default: raudal and its version]"""
    contact: Values
    """Add your contact to the User-Agent: a mail address or a URL"""
    proxy: Values
    """Use this proxy [default: from HTTP_PROXY, HTTPS_PROXY and NO_PROXY]"""
    http2: bool
    """Use HTTP/2 if the server offers it: up to four transfers of a host share a connection"""
    allow_http: bool
    """Follow redirects from https to http, without credentials"""
    insecure: bool
    """Do not verify certificates: anyone on the network path can read and change the data"""
    cacert: Values
    """Also trust the certificates in this PEM file"""
    cert: Values
    """Use this client certificate, in a PEM file that also holds the key unless key= is given"""
    key: Values
    """Read the key of the client certificate from this PEM file"""
    netrc_file: Values
    """Read the logins of hosts from this file [default: the file in $NETRC, else ~/.netrc]"""
    no_netrc: bool
    """Do not read logins from a netrc file"""


class IterOptions(Options, total=False):
    """The options of :func:`raudal.iter_2020`: those of ``raudal iter``."""

    entities: Values
    """Fetch only these entities: codes and ranges, such as 01,09,14-16"""
    edition: Values
    """Fetch this one of INEGI's two editions"""
    mirror: Values
    """Fetch from this base URL, or from the embedded origin with `embedded` [default:
    inegi.org.mx]"""
    where: Values
    """Keep only the rows that match this expression over the columns; empty keeps all"""
    latency: Values
    """Delay each response of the embedded origin by this time"""
    bandwidth_per_connection: Values
    """Limit the bandwidth of each connection to SIZE per second"""
    bandwidth: Values
    """Limit the total bandwidth to SIZE per second"""
    scale: Values
    """Scale the number of rows in the archives: 0.1 for a tenth"""
    seed: Values
    """Seed the random data and faults: the same seed gives the same ones"""
    fault: Values
    """Inject a fault: KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB], such as reset@50%:p=0.1.
    Repeat the option or separate faults with `;`; the first that applies to a request is
    injected"""
    select: Values
    """Write only these columns, in this order: names, VPH_* (a pattern), ENTIDAD..LOC (a range),
    !NOM_* (all but these), POBTOT as people, 'a name, with a comma'"""
    columns_mode: Values
    """When columns differ: strict refuses the input, union has the columns of all, intersection
    those that all have"""
    fold_names: bool
    """Treat names of columns that differ only by case or accents as the same"""
    distinct: bool
    """Write equal rows once; rows are equal if all their cells are the same text"""
    limit: Values
    """Write the first N rows, in input order, and stop the transfers once they are there"""
    sample: Values
    """Write a random sample of N rows, in input order; seed= chooses another one"""
    count: bool
    """Write no rows, but how many were read and kept of each input and in all"""
    member: Values
    """Read only the members of an archive that match this glob: '**/data/*.csv'; in an inner
    archive: 'inner.zip!/**/*.csv'"""
    sheet: Values
    """Read this sheet of an Excel workbook: its name, or its position from 1 [default: the only one
    with cells]"""
    member_encoding: Values
    """The encoding of members' names that are not UTF-8, such as cp850 [default: cp437]"""
    source_column: Values
    """Prepend a column with this name that holds the source of each row"""
    encoding: Values
    """The encoding of the inputs; several, such as utf-8,windows-1252, are tried in order on each
    whole input; auto decides"""
    delimiter: Values
    """What separates fields: a character, `tab`, or `auto` [default: a tab for .tsv and .tab, else
    a comma]"""
    quote: Values
    """What encloses fields: a character, or `none` if quotes are letters [default: ']"""
    escape: Values
    """Read the character after this one literally"""
    comment: Values
    """Leave out lines that begin with this text"""
    skip_rows: Values
    """Skip this many lines at the beginning"""
    columns: Values
    """Use these names for the columns, in place of the header: a, b, 'a name, with a comma'"""
    footer: Values
    """Drop this many lines at the end"""
    trim: bool
    """Remove blanks around names and cells"""
    ragged: Values
    """Records with more or fewer fields than the header: refuse the input, or pad or skip them"""
    repeated_header: Values
    """Rows that repeat the header, as in joined files: warn of them, or drop them"""
    decimal: Values
    """The decimal mark of numbers, for where= and types= [default: .]"""
    thousands: Values
    """The mark between the thousands of numbers, for where= and types="""
    null: Values
    """Cells that mean 'no value' for where=, besides empty ones [default: none; *,N/D,N/A for
    iter]"""
    max_members: Values
    """Refuse archives with more members than this"""
    max_member_size: Values
    """Refuse members that decompress to more than this"""
    max_ratio: Values
    """Refuse members that decompress to more than N times their size"""
    max_field_size: Values
    """Refuse fields that are longer than this"""
    overwrite: bool
    """Replace an existing output; in a database, the table"""
    types: Values
    """Give columns types (text, int, float, date), such as 'POBTOT:int, LAT:float'; `auto` decides
    on all rows [default: all text]"""
    checksums: Values
    """Verify inputs against this list of SHA-256 checksums, in the format of sha256sum; refuse
    inputs that it lacks"""
    cache: bool
    """Cache what is fetched; ask the server each time whether it has changed"""
    cache_dir: Values
    """Use this cache folder; implies cache= [default: $XDG_CACHE_HOME/raudal, else
    ~/.cache/raudal]"""
    refresh: bool
    """Fetch everything again and cache it; implies cache="""
    offline: bool
    """Use only the cache: no requests, inputs that are not in it fail; implies cache="""
    no_cache: bool
    """Do not use the cache, even if the environment enables it, nor the limits of hosts that it
    remembers"""
    lock: Values
    """Record the size, SHA-256, validators and rows of each input, as JSON, once all are done"""
    locked: bool
    """Write no result if an input differs from its record in the lock= file"""
    jobs: Values
    """Process up to N inputs at once; auto raises the limit of each host, up to 64, while
    throughput grows"""
    sequential: bool
    """Process one input after the other, the same as -j 1"""
    per_host: Values
    """Process up to N inputs of one host at once [default: the limit of -j]"""
    rate: Values
    """Start no more transfers than this, such as 5/s or 30/min"""
    retries: Values
    """Retry up to N times, if a retry may help; keep retrying while a download makes progress"""
    retry_on: Values
    """Retry on these statuses, classes and causes, but not on those after `!`, such as
    429,5xx,!501,timeout"""
    retry_delay: Values
    """Wait up to this time before the first retry; the limit doubles with each retry, up to 30 s"""
    retry_max_time: Values
    """Do not retry an input once this time has passed since its first attempt"""
    fail_fast: bool
    """Stop at the first input that fails after all retries"""
    max_failures: Values
    """Stop once N inputs have failed after all retries"""
    deadline: Values
    """Stop the run after this time, finished or not"""
    connect_timeout: Values
    """Give up on a connection that takes longer to open"""
    read_timeout: Values
    """Give up when no data arrives for this time"""
    limit_rate: Values
    """Limit the total download rate to SIZE per second"""
    header: Values
    """Send this header with every request: 'Name: value'. For tables also: the line that holds the
    header, such as 3, or `none`"""
    user_agent: Values
    """Send this User-Agent [default: raudal and its version]"""
    contact: Values
    """Add your contact to the User-Agent: a mail address or a URL"""
    proxy: Values
    """Use this proxy [default: from HTTP_PROXY, HTTPS_PROXY and NO_PROXY]"""
    http2: bool
    """Use HTTP/2 if the server offers it: up to four transfers of a host share a connection"""
    allow_http: bool
    """Follow redirects from https to http, without credentials"""
    insecure: bool
    """Do not verify certificates: anyone on the network path can read and change the data"""
    cacert: Values
    """Also trust the certificates in this PEM file"""
    cert: Values
    """Use this client certificate, in a PEM file that also holds the key unless key= is given"""
    key: Values
    """Read the key of the client certificate from this PEM file"""
    netrc_file: Values
    """Read the logins of hosts from this file [default: the file in $NETRC, else ~/.netrc]"""
    no_netrc: bool
    """Do not read logins from a netrc file"""


class GetOptions(Options, total=False):
    """The options of :func:`raudal.get`: those of ``raudal get``."""

    input: Values
    """Read sources from this file, or from stdin with `-`: one per line, optional TAB and name, `#`
    comments"""
    links: Values
    """Read each source as an HTML page, and fetch the links on it that match this glob, such as
    '*.csv' or '2020/*.zip'"""
    links_any_host: bool
    """Also fetch links to other hosts than that of their page"""
    strict_list: bool
    """Refuse a list with a bad line, before anything is fetched [default: the line fails, the
    others go on]"""
    resume: bool
    """Resume partial downloads, and keep partial files; implies skip_existing="""
    skip_existing: bool
    """Treat an existing file as already downloaded [default: the input fails]"""
    update: bool
    """Fetch only what has changed since the last run, and set the time of files to the server's, as
    wget -N does"""
    directories: bool
    """Name files by host and path, in folders, as wget -x does: the same as name=
    '{host}/{path}'"""
    name: Values
    """Name files by this template: {host}, {path}, {name} (its usual name), {n:04} (its position,
    with zeros up to four digits)"""
    overwrite: bool
    """Replace existing files"""
    extract: Union[bool, Value]
    """Extract each zip or tar archive to a folder with its name: all members, or those that match
    extract==GLOB"""
    member_encoding: Values
    """The encoding of members' names that are not UTF-8, such as cp850 [default: cp437]"""
    max_members: Values
    """Refuse archives with more members than this"""
    max_member_size: Values
    """Refuse members that decompress to more than this"""
    max_ratio: Values
    """Refuse members that decompress to more than N times their size"""
    checksums: Values
    """Verify inputs against this list of SHA-256 checksums, in the format of sha256sum; refuse
    inputs that it lacks"""
    cache: bool
    """Cache what is fetched; ask the server each time whether it has changed"""
    cache_dir: Values
    """Use this cache folder; implies cache= [default: $XDG_CACHE_HOME/raudal, else
    ~/.cache/raudal]"""
    refresh: bool
    """Fetch everything again and cache it; implies cache="""
    offline: bool
    """Use only the cache: no requests, inputs that are not in it fail; implies cache="""
    no_cache: bool
    """Do not use the cache, even if the environment enables it, nor the limits of hosts that it
    remembers"""
    lock: Values
    """Record the size, SHA-256, validators and rows of each input, as JSON, once all are done"""
    locked: bool
    """Write no result if an input differs from its record in the lock= file"""
    jobs: Values
    """Process up to N inputs at once; auto raises the limit of each host, up to 64, while
    throughput grows"""
    sequential: bool
    """Process one input after the other, the same as -j 1"""
    per_host: Values
    """Process up to N inputs of one host at once [default: the limit of -j]"""
    rate: Values
    """Start no more transfers than this, such as 5/s or 30/min"""
    retries: Values
    """Retry up to N times, if a retry may help; keep retrying while a download makes progress"""
    retry_on: Values
    """Retry on these statuses, classes and causes, but not on those after `!`, such as
    429,5xx,!501,timeout"""
    retry_delay: Values
    """Wait up to this time before the first retry; the limit doubles with each retry, up to 30 s"""
    retry_max_time: Values
    """Do not retry an input once this time has passed since its first attempt"""
    fail_fast: bool
    """Stop at the first input that fails after all retries"""
    max_failures: Values
    """Stop once N inputs have failed after all retries"""
    deadline: Values
    """Stop the run after this time, finished or not"""
    connect_timeout: Values
    """Give up on a connection that takes longer to open"""
    read_timeout: Values
    """Give up when no data arrives for this time"""
    limit_rate: Values
    """Limit the total download rate to SIZE per second"""
    header: Values
    """Send this header with every request: 'Name: value'. For tables also: the line that holds the
    header, such as 3, or `none`"""
    user_agent: Values
    """Send this User-Agent [default: raudal and its version]"""
    contact: Values
    """Add your contact to the User-Agent: a mail address or a URL"""
    proxy: Values
    """Use this proxy [default: from HTTP_PROXY, HTTPS_PROXY and NO_PROXY]"""
    http2: bool
    """Use HTTP/2 if the server offers it: up to four transfers of a host share a connection"""
    allow_http: bool
    """Follow redirects from https to http, without credentials"""
    insecure: bool
    """Do not verify certificates: anyone on the network path can read and change the data"""
    cacert: Values
    """Also trust the certificates in this PEM file"""
    cert: Values
    """Use this client certificate, in a PEM file that also holds the key unless key= is given"""
    key: Values
    """Read the key of the client certificate from this PEM file"""
    netrc_file: Values
    """Read the logins of hosts from this file [default: the file in $NETRC, else ~/.netrc]"""
    no_netrc: bool
    """Do not read logins from a netrc file"""


class CompareOptions(Options, total=False):
    """The options of :func:`raudal.compare`: those of ``raudal compare WORKLOAD``, for all workloads."""

    entities: Values
    """Fetch only these entities: codes and ranges, such as 01,09,14-16"""
    edition: Values
    """Fetch this one of INEGI's two editions"""
    mirror: Values
    """Fetch from this base URL, or from the embedded origin with `embedded`"""
    where: Values
    """Keep only the rows that match this expression over the columns; empty keeps all"""
    runs: Values
    """Measure each level N times"""
    min_runs: Values
    """Measure each level at least N times, and more while the means are uncertain"""
    warmup: Values
    """Run each level N times first, without counting"""
    per_host: Values
    """Process up to N inputs of one host at once [default: the limit of -j]"""
    rate: Values
    """Start no more transfers than this, such as 5/s or 30/min"""
    retries: Values
    """Retry up to N times, if a retry may help; keep retrying while a download makes progress"""
    retry_on: Values
    """Retry on these statuses, classes and causes, but not on those after `!`, such as
    429,5xx,!501,timeout"""
    retry_delay: Values
    """Wait up to this time before the first retry; the limit doubles with each retry, up to 30 s"""
    retry_max_time: Values
    """Do not retry an input once this time has passed since its first attempt"""
    connect_timeout: Values
    """Give up on a connection that takes longer to open"""
    read_timeout: Values
    """Give up when no data arrives for this time"""
    limit_rate: Values
    """Limit the total download rate to SIZE per second"""
    header: Values
    """Send this header with every request: 'Name: value'. For tables also: the line that holds the
    header, such as 3, or `none`"""
    user_agent: Values
    """Send this User-Agent [default: raudal and its version]"""
    contact: Values
    """Add your contact to the User-Agent: a mail address or a URL"""
    proxy: Values
    """Use this proxy [default: from HTTP_PROXY, HTTPS_PROXY and NO_PROXY]"""
    http2: bool
    """Use HTTP/2 if the server offers it: up to four transfers of a host share a connection"""
    allow_http: bool
    """Follow redirects from https to http, without credentials"""
    insecure: bool
    """Do not verify certificates: anyone on the network path can read and change the data"""
    cacert: Values
    """Also trust the certificates in this PEM file"""
    cert: Values
    """Use this client certificate, in a PEM file that also holds the key unless key= is given"""
    key: Values
    """Read the key of the client certificate from this PEM file"""
    netrc_file: Values
    """Read the logins of hosts from this file [default: the file in $NETRC, else ~/.netrc]"""
    no_netrc: bool
    """Do not read logins from a netrc file"""
    latency: Values
    """Delay each response of the embedded origin by this time"""
    bandwidth_per_connection: Values
    """Limit the bandwidth of each connection to SIZE per second"""
    bandwidth: Values
    """Limit the total bandwidth to SIZE per second"""
    scale: Values
    """Scale the number of rows in the archives: 0.1 for a tenth"""
    seed: Values
    """Seed the random data and faults: the same seed gives the same ones"""
    fault: Values
    """Inject a fault: KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB], such as reset@50%:p=0.1.
    Repeat the option or separate faults with `;`; the first that applies to a request is
    injected"""
    pace: Values
    """Multiply all times by X: 0.1 for a tenth"""
    file_time: Values
    """Make the file take this time"""
    api_time: Values
    """Make the API call take this time"""
    query_time: Values
    """Make the database query take this time"""
    zip_time: Values
    """Make the download of the zip take this time, unpacking included"""
    temp_dir: Values
    """Create the temporary folder here; it is removed at the end [default: the system's folder]"""
    queries: Values
    """Run N queries"""
    connections: Values
    """Open N connections in the pool, so that up to N queries run at once"""
    write: bool
    """Write instead of reading, in transactions that wait for SQLite's single writer"""
    database: Values
    """Use a PostgreSQL server: postgres://user:password@host:5432/name [default: SQLite,
    embedded]"""
    timeout: Values
    """Give up on a job that takes longer, including its waits"""
    files: Values
    """Write N files"""
    size: Values
    """Make each file this large"""
    sync: Values
    """Sync each file: none (stays in memory), data (contents to disk) or all (contents and metadata
    to disk)"""
    requests: Values
    """Make N calls"""
    sleeps: Values
    """Sleep N times"""


class ServeOptions(Options, total=False):
    """The options of :func:`raudal.serve`: those of ``raudal serve``."""

    listen: Values
    """Listen on this address; port 0 takes a free port"""
    latency: Values
    """Delay each response of the embedded origin by this time"""
    bandwidth_per_connection: Values
    """Limit the bandwidth of each connection to SIZE per second"""
    bandwidth: Values
    """Limit the total bandwidth to SIZE per second"""
    scale: Values
    """Scale the number of rows in the archives: 0.1 for a tenth"""
    seed: Values
    """Seed the random data and faults: the same seed gives the same ones"""
    fault: Values
    """Inject a fault: KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB], such as reset@50%:p=0.1.
    Repeat the option or separate faults with `;`; the first that applies to a request is
    injected"""
