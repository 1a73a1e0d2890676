from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers

DESCRIPTOR: _descriptor.FileDescriptor

class Tensor(_message.Message):
    __slots__ = (
        "bool_data",
        "byte_data",
        "complex64_data",
        "complex128_data",
        "elem_type",
        "float64_data",
        "float_data",
        "int64_data",
        "int_data",
        "lod",
        "name",
        "shape",
        "str_data",
        "uint32_data",
    )
    INT64_DATA_FIELD_NUMBER: _ClassVar[int]
    FLOAT_DATA_FIELD_NUMBER: _ClassVar[int]
    INT_DATA_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_DATA_FIELD_NUMBER: _ClassVar[int]
    UINT32_DATA_FIELD_NUMBER: _ClassVar[int]
    BOOL_DATA_FIELD_NUMBER: _ClassVar[int]
    COMPLEX64_DATA_FIELD_NUMBER: _ClassVar[int]
    COMPLEX128_DATA_FIELD_NUMBER: _ClassVar[int]
    STR_DATA_FIELD_NUMBER: _ClassVar[int]
    BYTE_DATA_FIELD_NUMBER: _ClassVar[int]
    ELEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    LOD_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    int64_data: _containers.RepeatedScalarFieldContainer[int]
    float_data: _containers.RepeatedScalarFieldContainer[float]
    int_data: _containers.RepeatedScalarFieldContainer[int]
    float64_data: _containers.RepeatedScalarFieldContainer[float]
    uint32_data: _containers.RepeatedScalarFieldContainer[int]
    bool_data: _containers.RepeatedScalarFieldContainer[bool]
    complex64_data: _containers.RepeatedScalarFieldContainer[float]
    complex128_data: _containers.RepeatedScalarFieldContainer[float]
    str_data: _containers.RepeatedScalarFieldContainer[str]
    byte_data: bytes
    elem_type: int
    shape: _containers.RepeatedScalarFieldContainer[int]
    lod: _containers.RepeatedScalarFieldContainer[int]
    name: str
    def __init__(
        self,
        int64_data: _Iterable[int] | None = ...,
        float_data: _Iterable[float] | None = ...,
        int_data: _Iterable[int] | None = ...,
        float64_data: _Iterable[float] | None = ...,
        uint32_data: _Iterable[int] | None = ...,
        bool_data: _Iterable[bool] | None = ...,
        complex64_data: _Iterable[float] | None = ...,
        complex128_data: _Iterable[float] | None = ...,
        str_data: _Iterable[str] | None = ...,
        byte_data: bytes | None = ...,
        elem_type: int | None = ...,
        shape: _Iterable[int] | None = ...,
        lod: _Iterable[int] | None = ...,
        name: str | None = ...,
    ) -> None: ...

class Request(_message.Message):
    __slots__ = ("clientip", "key", "logid", "method", "name", "tensors", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    LOGID_FIELD_NUMBER: _ClassVar[int]
    CLIENTIP_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    value: _containers.RepeatedScalarFieldContainer[str]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    name: str
    method: str
    logid: int
    clientip: str
    def __init__(
        self,
        key: _Iterable[str] | None = ...,
        value: _Iterable[str] | None = ...,
        tensors: _Iterable[Tensor | _Mapping] | None = ...,
        name: str | None = ...,
        method: str | None = ...,
        logid: int | None = ...,
        clientip: str | None = ...,
    ) -> None: ...

class Response(_message.Message):
    __slots__ = ("err_msg", "err_no", "key", "tensors", "value")
    ERR_NO_FIELD_NUMBER: _ClassVar[int]
    ERR_MSG_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    err_no: int
    err_msg: str
    key: _containers.RepeatedScalarFieldContainer[str]
    value: _containers.RepeatedScalarFieldContainer[str]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    def __init__(
        self,
        err_no: int | None = ...,
        err_msg: str | None = ...,
        key: _Iterable[str] | None = ...,
        value: _Iterable[str] | None = ...,
        tensors: _Iterable[Tensor | _Mapping] | None = ...,
    ) -> None: ...
