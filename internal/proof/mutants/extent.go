package mutants

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// A place is where a declaration stands in a file's text.
type place struct {
	path     string
	text     string
	from, to int
}

// find finds a declaration by its name, which Edit.In describes, in whichever file of its
// package it is: of those that are built here, and are no tests. edited has the text of
// files that were changed before, by their paths.
func find(root, in string, edited map[string]string) (found place, err error) {
	dir, name := root, in
	if slash := strings.LastIndexByte(in, '/'); slash >= 0 {
		pkg, rest, _ := strings.Cut(in[slash:], ".")
		dir, name = filepath.Join(root, filepath.FromSlash(in[:slash]+pkg)), rest
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found, err
	}
	written := name // somewhere in the file; parsing takes longer than to look for that
	if _, method, ok := strings.Cut(name, "."); ok {
		written = ") " + method + "("
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		if here, err := build.Default.MatchFile(dir, entry.Name()); err != nil || !here {
			continue
		}
		text, ok := edited[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return found, err
			}
			text = string(b)
		}
		if !strings.Contains(text, written) {
			continue
		}
		from, to, err := extent(text, name)
		switch {
		case err != nil:
			return found, fmt.Errorf("%s: %w", path, err)
		case from == 0:
		case found.path != "":
			return found, fmt.Errorf("%s and %s declare %s", found.path, path, name)
		default:
			found = place{path, text, from, to}
		}
	}
	if found.path == "" {
		return found, fmt.Errorf("there is no %s", in)
	}
	return found, nil
}

// extent returns where in a file's text a declaration stands: that of a function,
// of a method ("Type.method"), or of a variable, constant or type. 0, 0: nowhere.
func extent(text, name string) (from, to int, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		return 0, 0, err
	}
	for _, decl := range file.Decls {
		for _, node := range declared(decl, name) {
			if from != 0 {
				return 0, 0, fmt.Errorf("there are two declarations of %s", name)
			}
			from, to = fset.Position(node.Pos()).Offset, fset.Position(node.End()).Offset
		}
	}
	return from, to, nil
}

// declared returns the nodes of a declaration that declare the name.
func declared(decl ast.Decl, name string) (nodes []ast.Node) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if functionName(decl) == name {
			nodes = append(nodes, decl)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.Name == name {
					nodes = append(nodes, spec)
				}
			case *ast.ValueSpec:
				for _, one := range spec.Names {
					if one.Name == name {
						nodes = append(nodes, spec)
					}
				}
			}
		}
	}
	return nodes
}

// functionName is a function's name, behind that of its receiver's type.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
