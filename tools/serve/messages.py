"""TensorFlow Serving's messages of metadata and status, which both protocols send."""

from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tools.serve.core import Core, Which
from tools.serve.refusal import missing


def metadata(core: Core, which: Which) -> Any:
    """A GetModelMetadataResponse with the signatures.

    Raises:
      Refusal: if there is no such model.
    """
    number, signatures = core.signatures(which)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = which.model
    response.model_spec.version.value = number
    content = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in signatures.items():
        content.signature_def[name].CopyFrom(signature)
    response.metadata['signature_def'].Pack(content)
    return response


def status(core: Core, which: Which) -> Any:
    """A GetModelStatusResponse with all versions, or the one named.

    Raises:
      Refusal: if there is no such model.
    """
    if which.model not in core.names:
        raise missing(f'Could not find any versions of model {which.model}')
    versions = core.versions(which.model)
    number = versions.find(label=which.label).number if which.label else which.number
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions.all(number):
        found = response.model_version_status.add(version=version.number)
        found.state = get_model_status_pb2.ModelVersionStatus.State.Value(version.state)
        found.status.SetInParent()
        if version.error:
            found.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
            found.status.error_message = version.error
    return response
