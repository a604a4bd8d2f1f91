# cmake -DFOLDER=... -DOUT=slurm_scripts.c -P embed.cmake: the script texts as C arrays.
file(WRITE ${OUT} "extern const char nas_slurm_single[], nas_slurm_requeue[], nas_slurm_array[], nas_slurm_merge[];\n")
foreach(kind single requeue array merge)
  file(READ ${FOLDER}/${kind}.sbatch.in bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0a),"  "\\1,\n" bytes "${bytes}")
  file(APPEND ${OUT} "const char nas_slurm_${kind}[] = {\n${bytes}0};\n")
endforeach()
