# cmake -DIN=schema.sql -DOUT=schema_sql.c -P embed.cmake: the file as a C array (a string literal may not be so long).
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0a),"  "\\1,\n" bytes "${bytes}")
file(WRITE ${OUT} "#include \"bench-db/internal/db.h\"\nconst char nas_db_schema[] = {\n${bytes}0};\n")
