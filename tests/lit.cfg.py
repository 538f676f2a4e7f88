# Run by ctest as `lit`; by hand: lit -v tests --param bin=BUILD/bin --param llvm=/usr/lib/llvm-22/bin --param out=BUILD/tests/lit
import os

import lit.formats

config.name = "hsa"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_exec_root = lit_config.params["out"]  # otherwise lit writes Output/ into the source tree
config.environment["PATH"] = os.pathsep.join([lit_config.params["bin"], lit_config.params["llvm"], os.environ["PATH"]])
