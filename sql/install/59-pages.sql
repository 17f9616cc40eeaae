-- 59-pages.sql: what HTML pages are put together from.
--
-- The sources are the files of the folder page; the Makefile puts them in here.

CREATE FUNCTION @extschema@.pt621_page_file(file text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT CASE file
-- page files
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_page_file(text) IS
'internal: a file of the folder page, embedded when pt621 was built; NULL when there is none of this name';

-- With its other characters as references the page is ASCII, and reads the same whatever encoding the client
-- has.  In databases of other encodings than UTF8 they stay as they are.
CREATE FUNCTION @extschema@.pt621_page_ascii(value text, json boolean)
RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    letter text;
    code   integer;
    plain  text := value;
BEGIN
    IF octet_length(value) = length(value) OR getdatabaseencoding() <> 'UTF8' THEN
        RETURN value;
    END IF;
    FOR letter IN SELECT DISTINCT m[1] FROM regexp_matches(value, '[^\x01-\x7f]', 'g') m LOOP
        code := ascii(letter);
        plain := replace(plain, letter,
                         CASE WHEN NOT json THEN format('&#%s;', code)
                              WHEN code < 65536 THEN '\u' || lpad(to_hex(code), 4, '0')
                              -- A pair of surrogates.
                              ELSE '\u' || to_hex(55232 + code / 1024) || '\u' || to_hex(56320 + code % 1024)
                         END);
    END LOOP;
    RETURN plain;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_page_ascii(text, boolean) IS
'internal: HTML or JSON (arguments: it, whether it is JSON) with references for what is not ASCII; JSON must have such characters in strings only';

CREATE FUNCTION @extschema@.pt621_page_text(value text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT @extschema@.pt621_page_ascii(
           replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;'), false)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_page_text(text) IS
'internal: any text as text of an HTML page, or as the value of an attribute in quotes';

CREATE FUNCTION @extschema@.pt621_page_data(data json, id text DEFAULT 'data')
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT '<script type="application/json" id="' || id || '">'
       || @extschema@.pt621_page_ascii(replace(data::text, '<', '\u003c'), true) || '</script>'
$function$;
COMMENT ON FUNCTION @extschema@.pt621_page_data(json, text) IS
'internal: JSON as an element of an HTML page that nothing in it can end; arguments: it, and the id of the element, by which the page''s script reads it with pageData()';

-- The policy lets the browser run this script, where there is one, and apply this style, and load nothing: so neither can what a
-- mistake of ours might let in.
CREATE FUNCTION @extschema@.pt621_page(title text, files text[], body text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
WITH source AS (
    SELECT E'\n' || coalesce(string_agg(@extschema@.pt621_page_file(f.name), '' ORDER BY f.n) FILTER (WHERE f.name LIKE '%.css'), '') AS style,
           E'\n' || string_agg(@extschema@.pt621_page_file(f.name), '' ORDER BY f.n) FILTER (WHERE f.name LIKE '%.js') AS script
      FROM unnest(files) WITH ORDINALITY f (name, n))
SELECT format($html$<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src %s; style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<link rel="icon" href="data:,">
<style>%s</style>
</head>
<body>
%s
%s</body>
</html>
$html$,
              coalesce('''sha256-' || encode(sha256(convert_to(s.script, 'UTF8')), 'base64') || '''', '''none'''),
              encode(sha256(convert_to(s.style, 'UTF8')), 'base64'),
              @extschema@.pt621_page_text(title), s.style, body,
              E'<script>' || s.script || E'</script>\n')
  FROM source s
$function$;
COMMENT ON FUNCTION @extschema@.pt621_page(text, text[], text) IS
'internal: an HTML page that needs nothing else; arguments: title (any text), names of files of the folder page (of .css the style, of .js the script, in this order), and what is in the body (HTML: whoever calls escapes, by pt621_page_text() and pt621_page_data())';
