"""Classes of the official protobuf library for our messages, made from the same declarations.

They show that bytes are what the format says. Whether numbers are upstream's they cannot show:
`tools/compare_protos.py` compares them with the proto files.
"""

import functools

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from comity.wire.mesos.declared import fields

_F = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    str: _F.TYPE_STRING,
    bytes: _F.TYPE_BYTES,
    bool: _F.TYPE_BOOL,
    int: _F.TYPE_INT64,
    float: _F.TYPE_DOUBLE,
}


@functools.cache
def twin(kind):
    """Return the official library's class for a message of ours, with all that it holds."""
    file = descriptor_pb2.FileDescriptorProto(name="twin.proto", package="t", syntax="proto2")
    enums, names = {}, {}
    _add(file, kind, names, enums)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{names[kind]}"))


def _add(file, kind, names, enums):
    if kind in names:
        return f".t.{names[kind]}"
    name = names[kind] = f"M{len(names)}"
    position = len(file.message_type)
    file.message_type.add(name=name)
    for field in fields(kind):
        of, name_of = _type(file, field, names, enums)
        message = file.message_type[position]
        one = message.field.add(name=field.name, number=field.number, label=_F.LABEL_OPTIONAL)
        if field.is_map:
            entry = message.nested_type.add(name=f"F{field.number}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=_F.TYPE_STRING, label=_F.LABEL_OPTIONAL)
            value = entry.field.add(name="value", number=2, type=of, label=_F.LABEL_OPTIONAL)
            if name_of:
                value.type_name = name_of
            one.label, one.type = _F.LABEL_REPEATED, _F.TYPE_MESSAGE
            one.type_name = f".t.{name}.F{field.number}Entry"
            continue
        one.type = of
        if name_of:
            one.type_name = name_of
        if field.is_list:
            one.label = _F.LABEL_REPEATED
        elif field.is_required:
            one.label = _F.LABEL_REQUIRED
    return f".t.{name}"


def _type(file, field, names, enums):
    if field.table is not None:
        key = id(field.table)
        if key not in enums:
            name = enums[key] = f"E{len(enums)}"
            added = file.enum_type.add(name=name)
            for word, number in field.table.items():
                added.value.add(name=f"{name}_{word}", number=number)
        return _F.TYPE_ENUM, f".t.{enums[key]}"
    if field.is_message:
        return _F.TYPE_MESSAGE, _add(file, field.kind, names, enums)
    return _TYPES[field.kind], ""
