"""The schema by another implementation: Google's protobuf for Python, from the same .proto files.

peer.py DESCRIPTORS check DIR   parses DIR/<Type>.<n>.in, refuses unknown fields, writes what it read as .out
peer.py DESCRIPTORS make DIR SEED COUNT   writes COUNT random messages of each type as DIR/<Type>.<n>.in
peer.py DESCRIPTORS compare DIR   every .in and .out of the same name must be the same message
"""
import pathlib
import random
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as F

TYPES = {
    "AgentFrame": "signalbox.v1.AgentFrame", "CollectorFrame": "signalbox.v1.CollectorFrame",
    "Records": "signalbox.v1.Records", "JoinRequest": "signalbox.v1.JoinRequest",
    "RenewRequest": "signalbox.v1.RenewRequest", "CertificateReply": "signalbox.v1.CertificateReply",
    "HealthCheckRequest": "grpc.health.v1.HealthCheckRequest",
    "HealthCheckResponse": "grpc.health.v1.HealthCheckResponse",
}
IDENTIFIERS = {"boot_id", "spool_id", "instance_id", "machine_id_hash", "host_id", "previous_host_id", "key"}
TEXTS = ["", "a", "/var/log/training_log.csv", "тренировка", "訓練", "🚂", "tab\tbell\a"]


def load(path):
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(path).read_bytes())
    for file in files.file:
        pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(full)) for name, full in TYPES.items()}


def canonical(message):
    return message.SerializeToString(deterministic=True)


def refuse_unknown(message, where):
    """A field that this implementation does not know means that the writer used a wrong number or type."""
    fresh = type(message)()
    fresh.CopyFrom(message)
    fresh.DiscardUnknownFields()
    if canonical(fresh) != canonical(message):
        sys.exit(f"{where}: unknown fields")


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def integer(self, bits, signed):
        value = self.random.getrandbits(self.random.randint(1, bits))
        return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value

    def scalar(self, field):
        if field.type in (F.TYPE_UINT32, F.TYPE_UINT64):
            return self.integer(32 if field.type == F.TYPE_UINT32 else 64, False)
        if field.type in (F.TYPE_INT64, F.TYPE_SINT64):
            return self.integer(64, True)
        if field.type == F.TYPE_INT32:
            return self.integer(32, True)
        if field.type == F.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
            number = self.random.choice([0.0, -0.0, 1.5, float("inf"), float("nan"), self.random.uniform(-1e30, 1e30)])
            return struct.unpack("<f", struct.pack("<f", number))[0] if field.type == F.TYPE_FLOAT else number
        if field.type == F.TYPE_ENUM:
            return self.random.choice(field.enum_type.values).number
        text = "".join(self.random.choices(TEXTS, k=self.random.randint(0, 4)))
        return text if field.type == F.TYPE_STRING else text.encode()

    def fill(self, message):
        descriptor = message.DESCRIPTOR
        if descriptor.name == "LogLines":
            return self.fill_lines(message)
        chosen = self.random.choice(descriptor.oneofs[0].fields).name if descriptor.oneofs else None
        for field in descriptor.fields:
            if chosen and field.name != chosen:
                continue
            if field.message_type:
                for _ in range(self.random.randint(0, 3) if field.is_repeated else 1):
                    self.fill(getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name))
                if not field.is_repeated:
                    getattr(message, field.name).SetInParent()
            elif field.is_repeated:
                getattr(message, field.name).extend(self.scalar(field) for _ in range(self.random.randint(0, 3)))
            elif field.name in IDENTIFIERS:
                setattr(message, field.name, self.random.randbytes(16))
            else:
                setattr(message, field.name, self.scalar(field))
        self.order(message, "from_bytes", "to_bytes")
        self.order(message, "first_sequence", "last_sequence")
        if "head_length" in descriptor.fields_by_name:
            # The decoder takes a greater one for the greatest.
            message.head_length %= 1025

        if descriptor.name == "ProcessEnd":
            self.settle_end(message)

    def settle_end(self, end):
        """An end has a code or a signal, and neither where it is not known how it was; -1 is the only negative count."""
        if not end.knowledge or end.exit_signal:
            end.exit_code = 0
        if not end.knowledge:
            end.exit_signal = 0
        if not end.exit_signal:
            end.core_dumped = False
        end.oom_kills = max(-1, end.oom_kills)

    def order(self, message, low, high):
        if low in message.DESCRIPTOR.fields_by_name:
            values = sorted((getattr(message, low), getattr(message, high)))
            setattr(message, low, values[0])
            setattr(message, high, values[1])

    def fill_lines(self, message):
        count = self.random.randint(1, 50)
        lines = [self.random.choice(TEXTS).encode() * self.random.randint(0, 9) for _ in range(count)]
        message.text = b"".join(lines)
        message.length_bytes.extend(len(line) for line in lines)
        message.advance_bytes.extend(self.integer(32, False) for _ in lines)
        message.time_delta_us.extend(self.integer(64, True) for _ in lines)
        message.levels = bytes(self.random.randint(0, 4) for _ in lines)
        message.flags = self.random.randbytes(count)
        message.first_offset_bytes = self.integer(64, False)


def main():
    classes, mode, folder = load(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    if mode == "make":
        maker = Maker(int(sys.argv[4]))
        for name, kind in classes.items():
            for number in range(int(sys.argv[5])):
                message = kind()
                maker.fill(message)
                (folder / f"{name}.{number}.in").write_bytes(message.SerializeToString())
        return
    paths = sorted(folder.glob("*.in"))
    if not paths:
        sys.exit("nothing to read")
    for path in paths:
        kind = classes[path.name.split(".")[0]]
        message = kind.FromString(path.read_bytes())
        refuse_unknown(message, path.name)
        if mode == "check":
            path.with_suffix(".out").write_bytes(canonical(message))
        elif canonical(kind.FromString(path.with_suffix(".out").read_bytes())) != canonical(message):
            sys.exit(f"{path.name}: another message came back:\n{message}\n---\n"
                     f"{kind.FromString(path.with_suffix('.out').read_bytes())}")


main()
