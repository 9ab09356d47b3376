"""Files of public repositories on the Hugging Face Hub.

The library huggingface_hub forms the address and tells the sha256 of large files; the bytes come
by `ndr.data.fetch.transfer`. The environment variable HF_ENDPOINT names another server (a mirror
of the Hub; in the tests one on this machine). No access token is sent. The Hub's own storage
protocol (xet) is not used: the Hub serves the same files over plain HTTP.
"""

from __future__ import annotations

import os
import re

import requests
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from ndr.data.fetch.failures import SourceError, TemporaryError, UnreachableError
from ndr.data.fetch.source import HuggingFaceFile
from ndr.data.fetch.transfer import Address
from ndr.data.fetch.web import TEMPORARY_STATUS, TIMEOUT


def hub_address(source: HuggingFaceFile, session: requests.Session) -> Address:
    """Where a file of the Hub is, with its size and (large files) sha256 as the Hub tells them.

    Raises:
        SourceError: no such file, repository or revision, or it is not public.
        TemporaryError: the Hub cannot be reached, or is too busy.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(
        source.hugging_face,
        source.path,
        repo_type=source.repository_type,
        revision=source.revision,
        endpoint=endpoint,
    )
    try:
        facts = get_hf_file_metadata(url, token=False, timeout=TIMEOUT[0], endpoint=endpoint)
    except OfflineModeIsEnabled as error:
        raise SourceError(f"{url}: {error}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        kind = TemporaryError if status in TEMPORARY_STATUS else SourceError
        raise kind(f"{url}: {' '.join(str(error).split())}") from error
    except HTTPError as error:
        raise UnreachableError(
            f"{url}: cannot reach the Hub; check the network and the proxy settings ({error})"
        ) from error
    sha256 = facts.etag if re.fullmatch("[0-9a-f]{64}", facts.etag or "") else None
    return Address(url, session, bytes=facts.size, sha256=sha256)
